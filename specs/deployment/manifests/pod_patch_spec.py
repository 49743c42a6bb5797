import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.deployment.errors import UsageError
from playbooks.deployment.manifests.pod_patch import patched, read

TEMPLATE = {
    "metadata": {"labels": {"function": "falco-delete"}},
    "spec": {
        "containers": [
            {"name": "falco-delete", "image": "a", "env": [{"name": "A", "value": "1"}]}
        ],
        "tolerations": [{"key": "a"}],
        "securityContext": {"runAsUser": 1000, "fsGroup": 1000},
    },
}


def spec(**patch):
    return patched(TEMPLATE, {"spec": patch})["spec"]


with description("A patch of the pod template") as self:
    with it("adds what is not there"):
        expect(spec(priorityClassName="high")["priorityClassName"]).to(equal("high"))

    with it("merges objects key by key, and null removes a key"):
        expect(spec(securityContext={"runAsUser": None, "x": 1})["securityContext"]).to(
            equal({"fsGroup": 1000, "x": 1})
        )

    with it("merges containers and their variables by name"):
        env = [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]
        (container,) = spec(containers=[{"name": "falco-delete", "env": env}])["containers"]

        expect(container).to(
            equal(
                {
                    "name": "falco-delete",
                    "image": "a",
                    "env": [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}],
                }
            )
        )

    with it("takes a container without a name for each of those there are"):
        (container,) = spec(containers=[{"image": "b"}])["containers"]

        expect([container["name"], container["image"]]).to(equal(["falco-delete", "b"]))

    with it("adds a container of another name"):
        made = spec(containers=[{"name": "side", "image": "b"}])["containers"]

        expect([c["name"] for c in made]).to(equal(["falco-delete", "side"]))

    with it("replaces every other list"):
        expect(spec(tolerations=[{"key": "b"}])["tolerations"]).to(equal([{"key": "b"}]))

    with it("leaves the template as it was"):
        spec(containers=[{"image": "b"}])

        expect(TEMPLATE["spec"]["containers"][0]["image"]).to(equal("a"))


with description("A patch file") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.file = Path(self.directory.name, "patch.yaml")

    with after.each:
        self.directory.cleanup()

    def problem(self, text):
        self.file.write_text(text)
        try:
            read(str(self.file))
        except UsageError as error:
            return str(error)
        return "no error"

    with it("is read as YAML or JSON"):
        self.file.write_text('{"spec": {"nodeSelector": {"pool": "a"}}}')

        expect(read(str(self.file))).to(equal({"spec": {"nodeSelector": {"pool": "a"}}}))

    with it("is refused where it cannot be read"):
        expect(self.problem("spec: [")).to(contain("neither YAML nor JSON"))

    with it("is refused where it is no part of a pod template"):
        expect(self.problem("nodeSelector: {a: b}")).to(contain("no part of a pod template"))
        expect(self.problem("spec: 3")).to(contain("spec in", "is no object"))

    with it("is refused where the items of a list cannot be told apart"):
        expect(self.problem("spec: {volumes: [{emptyDir: {}}]}")).to(contain("has no name"))
        expect(self.problem("spec: {containers: [{env: [A=1]}]}")).to(contain("no list of objects"))
