import base64
import json

from expects import be_empty, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import Conflict, NotPermitted
from specs.commands.fake_cluster import NAME, a_cluster, run, token_of
from specs.deployment.mothers import TOKEN

PRINT = ("token", "-p", "delete")
ROTATE = (*PRINT, "--rotate")
REFERRED = ("-s", "HTTP_TOKEN=doors/delete-door")


def a_secret(name, **data):
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "data": encoded}


with description("falco-playbook token") as self:
    with before.each:
        self.cluster = a_cluster(pods=("falco-delete-1", "falco-delete-2"))

    with it("prints the token, and nothing else"):
        said = run(*PRINT, cluster=self.cluster)

        expect((said.code, said.out, said.err)).to(equal((0, f"{TOKEN}\n", "")))
        expect(self.cluster.executed).to(be_empty)

    with it("prints it for machines with the Secret that has it"):
        expect(json.loads(run(*PRINT, "-o", "json").out)).to(
            equal(
                {
                    "function": "default/falco-delete",
                    "secret": "default/falco-delete",
                    "key": "HTTP_TOKEN",
                    "token": TOKEN,
                }
            )
        )

    with it("finds it in the Secret that the worker has it from"):
        cluster = a_cluster(*REFERRED)
        cluster._store(a_secret("doors", **{"delete-door": "opens-the-door-of-delete\n"}), uid="x")

        expect(run(*PRINT, cluster=cluster).out).to(equal("opens-the-door-of-delete\n"))

    with it("says that there is none where HTTP is off"):
        said = run(*PRINT, cluster=a_cluster("-e", "HTTP=off"))

        expect((said.code, said.out)).to(equal((1, "")))
        expect(said.err).to(contain("has no HTTP endpoint", "HTTP=off"))

    with it("does not print what the worker would not take"):
        for data in ({}, {"HTTP_TOKEN": "short"}):
            self.cluster.the("Secret", NAME)["data"] = a_secret("", **data)["data"]
            said = run(*PRINT, cluster=self.cluster)

            expect((said.code, said.out)).to(equal((1, "")))
            expect(said.err).to(contain("HTTP_TOKEN of Secret default/falco-delete is no token"))
            expect(said.err).not_to(contain("short"))

    with it("names a Secret that is gone"):
        del self.cluster.objects[("Secret", "default", NAME)]

        expect(run(*PRINT, cluster=self.cluster).err).to(
            contain("there is no Secret default/falco-delete")
        )

with description("falco-playbook token --rotate") as self:
    with before.each:
        self.cluster = a_cluster(pods=("falco-delete-1", "falco-delete-2"))

    with it("stores a new one that nobody can guess, and prints it"):
        said = run(*ROTATE, cluster=self.cluster)

        expect(said.code).to(equal(0))
        expect(said.out.strip()).to(equal(token_of(self.cluster)))
        expect(said.out.strip()).to(have_len(43))
        expect(said.out.strip()).not_to(equal(TOKEN))

    with it("leaves the rest of the Secret as it is"):
        before_it = dict(self.cluster.the("Secret", NAME)["data"])
        run(*ROTATE, cluster=self.cluster)
        after_it = self.cluster.the("Secret", NAME)["data"]

        expect({k for k in before_it if before_it[k] != after_it[k]}).to(equal({"HTTP_TOKEN"}))
        expect(set(after_it)).to(equal(set(before_it)))

    with it("restarts nothing: it waits until every worker has it, and hurries their kubelets"):
        self.cluster.stale = {"falco-delete-2": TOKEN}
        said = run(*ROTATE, cluster=self.cluster)

        expect(said.err).to(contain("2 of 2 workers accept the new token"))
        expect(self.cluster.annotated).to(equal(["falco-delete-1", "falco-delete-2"]))
        expect({verb for verb, _ in self.cluster.changes}).to(equal({"replace"}))

    with it("only takes longer where one may not annotate pods"):
        self.cluster.failures["annotate"] = NotPermitted("no")

        expect(run(*ROTATE, cluster=self.cluster).code).to(equal(0))

    with it("fails where a worker keeps the old one, with the new one printed and what to do"):
        self.cluster.stale, self.cluster.stuck = {"falco-delete-2": TOKEN}, True
        said = run(*ROTATE, cluster=self.cluster)

        expect(said.code).to(equal(1))
        expect(said.out.strip()).to(equal(token_of(self.cluster)))
        expect(said.err).to(contain("1 of 2 workers", "pod falco-delete-2 still accepts the pre"))
        expect(said.err).to(contain("kubectl rollout restart deployment falco-delete -n default"))

    with it("fails at once where somebody else rotates it at the same time, as theirs counts"):
        looks = []

        def theirs(seconds):
            looks.append(seconds)
            data = a_secret("", HTTP_TOKEN="t" * 43)["data"]
            self.cluster.the("Secret", NAME)["data"].update(data)

        self.cluster.stale, self.cluster.stuck = {"falco-delete-2": TOKEN}, True
        said = run(*ROTATE, cluster=self.cluster, sleep=theirs)

        expect((said.code, len(looks))).to(equal((1, 1)))
        expect(said.err).to(contain("somebody else changed the token of default/falco-delete"))

    with it("needs no worker that runs"):
        expect(run(*ROTATE, cluster=a_cluster(pods=())).code).to(equal(0))

    with it("tries again when somebody else writes the Secret first, and not for ever"):
        refusals = [Conflict("written since")] * 2

        def sometimes(verb, manifest):
            if refusals:
                raise refusals.pop()

        self.cluster.before_call = sometimes
        expect(run(*ROTATE, cluster=self.cluster).code).to(equal(0))
        refusals += [Conflict("written since")] * 99
        expect(run(*ROTATE, cluster=self.cluster).err).to(contain("was written by others, 5 times"))

    with it("leaves a Secret of somebody else's alone"):
        cluster = a_cluster(*REFERRED)
        cluster._store(a_secret("doors", **{"delete-door": "opens-the-door-of-delete"}), uid="x")
        said = run(*ROTATE, cluster=cluster)

        expect((said.code, said.out)).to(equal((1, "")))
        expect(said.err).to(contain("key delete-door of Secret default/doors", "change it there"))
        expect(cluster.changes).to(be_empty)
