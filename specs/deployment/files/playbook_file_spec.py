import tempfile
from pathlib import Path

import yaml
from expects import be_empty, contain, equal, expect, have_len, start_with
from mamba import after, before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.deployment.engines import registry
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import WEBHOOK, a_secret, documents_of, run

DELETE = """\
playbook: delete
name: shop
namespace: ops
engine: kubernetes
topics:
- falco.critical.*
- falco.error.*
settings:
  NAMESPACES: shop,web
  DRY_RUN: true
  GRACE_PERIOD_SECONDS: 010
replicas: 2
image: registry.example/falco-playbooks:1
patch:
  spec:
    priorityClassName: system-cluster-critical
"""

SLACK = """\
playbook: slack
namespace: default
engine: kubernetes
topics: [falco.error.*]
settings:
  SLACK_WEBHOOK_URL:
    secretKeyRef: {name: slack, key: url}
"""


def container(cluster, name="falco-shop"):
    function = cluster.the("Function", name)
    return function["spec"]["deployment"]["spec"]["template"]["spec"]["containers"][0]


def variables(cluster, name="falco-shop"):
    return {v["name"]: v.get("value") for v in container(cluster, name)["env"]}


def topics(cluster):
    return sorted(m["spec"]["topic"] for (k, _, _), m in cluster.objects.items() if "Trigger" in k)


with description("A file of playbooks") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name, "delete.yaml")
        self.cluster = FakeObjects(a_secret("slack", url=WEBHOOK))

    with after.each:
        self.directory.cleanup()

    def deploy(self, text, *typed, environ=None):
        self.path.write_text(text)
        return run(*typed, "-f", str(self.path), cluster=self.cluster, environ=environ)

    def errors(self, text, *typed, environ=None):
        """Without the program and the directory."""
        done = self.deploy(text, *typed, environ=environ)
        expect(done.code).to(equal(2))
        expect(self.cluster.changes).to(be_empty)
        found = [line for line in done.err.splitlines() if ": error: " in line]
        lead = f"deploy_playbook: error: {self.directory.name}/"
        return [line.replace(lead, "").replace("deploy_playbook: error: ", "") for line in found]

    with it("names the line of a playbook that is none"):
        text = f"{DELETE}---\nplaybook: isolat\nname: x\ntopics: [falco.error.*]\n"
        (said,) = self.errors(text)
        line = text.splitlines().index("playbook: isolat") + 1

        expect(said).to(start_with(f"delete.yaml:{line}: there is no playbook 'isolat': one of"))

    with it("is deployed as the same options are"):
        done = self.deploy(DELETE)
        deployment = self.cluster.the("Deployment", "falco-shop")

        expect((done.code, done.err)).to(equal((0, "")))
        expect(deployment["metadata"]["namespace"]).to(equal("ops"))
        expect(deployment["spec"]["replicas"]).to(equal(2))
        expect(deployment["spec"]["template"]["spec"]["priorityClassName"]).to(
            equal("system-cluster-critical")
        )
        expect(topics(self.cluster)).to(equal(["falco.critical.*", "falco.error.*"]))
        expect(variables(self.cluster)["NAMESPACES"]).to(equal("shop,web"))

    with it("gives settings the text that is written, whatever YAML takes it for"):
        self.deploy(DELETE)

        found = variables(self.cluster)
        expect([found["DRY_RUN"], found["GRACE_PERIOD_SECONDS"]]).to(equal(["true", "010"]))

    with it("is overruled by what is typed"):
        typed = ("-t", "falco.alert.*", "-e", "NAMESPACES=web", "-R", "3", "-n", "default")
        done = self.deploy(DELETE, *typed, "-N", "quick")
        deployment = self.cluster.the("Deployment", "falco-quick")

        expect(done.code).to(equal(0))
        expect(deployment["metadata"]["namespace"]).to(equal("default"))
        expect(deployment["spec"]["replicas"]).to(equal(3))
        expect(topics(self.cluster)).to(equal(["falco.alert.*"]))
        expect(variables(self.cluster, "falco-quick")["NAMESPACES"]).to(equal("web"))

    with it("takes the engine that is typed"):
        self.deploy(DELETE.replace("replicas: 2\nimage: registry.example/falco-playbooks:1\n", ""))
        done = self.deploy(SLACK, "-E", "kubeless")

        expect(done.code).to(equal(0))
        expect(self.cluster.names).not_to(contain("Deployment falco-slack"))

    with it("refers to keys of Secrets, to files beside it and to the environment"):
        Path(self.directory.name, "password").write_text("hunter2\n")
        text = SLACK + "  NATS_TOKEN: {env: MY_TOKEN}\n  NATS_PASSWORD: {file: password}\n"
        done = self.deploy(text, environ={"MY_TOKEN": "@joe"})
        secret = self.cluster.the("Secret", "falco-slack")["data"]

        expect((done.code, done.err)).to(equal((0, "")))
        expect(secret["NATS_PASSWORD"]).to(equal("aHVudGVyMg=="))
        expect(secret["NATS_TOKEN"]).to(equal("QGpvZQ=="))
        expect(list(secret)).not_to(contain("SLACK_WEBHOOK_URL"))

    with it("names file and line of everything that is wrong with it"):
        text = """\
playbok: delete
playbook: delete
topics: falco.critical.*
settings:
  RULES: [a, b]
  NAMESPACES:
  NATS_USER: {env: NOBODY}
  NATS_PASSWORD: {file: nothere}
  NATS_CREDS: {secretKeyRef: {name: a}}
  NATS_TOKEN: {vault: a}
  DRY_RUN: true
  DRY_RUN: false
replicas: many
engine: no-engine
namespace: {}
"""
        expect([line.partition(" (")[0] for line in self.errors(text)]).to(
            equal(
                [
                    "delete.yaml:1: unknown key 'playbok' in the file, did you mean playbook?",
                    "delete.yaml:15: namespace is a mapping, expected text",
                    "delete.yaml:3: topics is 'falco.critical.*', expected a list",
                    "delete.yaml:14: engine is 'no-engine', expected one of "
                    + ", ".join(["auto", *registry.known()]),
                    "delete.yaml:12: DRY_RUN is given twice in settings",
                    "delete.yaml:5: RULES is a list, expected text",
                    "delete.yaml:6: NAMESPACES is empty, expected text",
                    "delete.yaml:7: NATS_USER: there is no variable NOBODY in the environment",
                    "delete.yaml:8: -e NATS_PASSWORD: cannot read"
                    f" '{self.directory.name}/nothere': No such file or directory",
                    "delete.yaml:9: NATS_CREDS.secretKeyRef has no key",
                    "delete.yaml:10: unknown key 'vault' in NATS_TOKEN, expected env, file,"
                    " secretKeyRef",
                    "delete.yaml:13: replicas is 'many', expected a whole number",
                ]
            )
        )

    with it("is checked as options are, with the line"):
        text = """\
playbook: delete
name: Shop
namespace: a.b
engine: kubernetes
runtime: python2
topics:
- falco.error.*
- falco.info.*
settings:
  NAMESPACS: shop
  GRACE_PERIOD_SECONDS: many
  NAMESPACES: Web
  HOME: /root
replicas: 1000
patch: {foo: 1}
"""
        found = [line.split(": ", 1) for line in self.errors(text)]

        expect(sorted(int(place.partition(":")[2]) for place, _ in found)).to(
            equal([2, 3, 5, 5, 8, 10, 11, 12, 13, 14, 15])
        )
        said = dict(found)
        expect(said["delete.yaml:14"]).to(
            equal("replicas is 1000, expected a number from 1 to 100")
        )
        expect(said["delete.yaml:10"]).to(contain("did you mean NAMESPACES?"))

    with it("is refused for a zero as for any other number that is out of bounds"):
        expect(self.errors(DELETE.replace("replicas: 2", "replicas: 0"))).to(
            equal(["delete.yaml:12: replicas is 0, expected a number from 1 to 100"])
        )

    with it("holds no secret as text, and does not show one"):
        text = SLACK.replace("secretKeyRef: {name: slack, key: url}", "") + "  NATS_PASSWORD: joe\n"
        text = text.replace("SLACK_WEBHOOK_URL:\n    ", f"SLACK_WEBHOOK_URL: {WEBHOOK}")
        found = self.errors(text)

        expect(found).to(have_len(2))
        expect(found[0]).to(start_with("delete.yaml:6: SLACK_WEBHOOK_URL is secret"))
        expect(" ".join(found)).not_to(contain("hunter2"))

    with it("says where there is no such Secret"):
        done = self.deploy(SLACK.replace("name: slack,", "name: nothere,"))

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("delete.yaml:6: -s SLACK_WEBHOOK_URL: there is no Secret"))

    with it("must be YAML, and hold a playbook"):
        expect(self.errors("a: [")).to(have_len(1))
        expect(self.errors("a: [")[0]).to(start_with("delete.yaml:1: not YAML: "))
        expect(self.errors("# nothing\n")).to(contain(f"-f: '{self.path}' has no playbook"))
        expect(self.errors("just text\n")[0]).to(contain("expected a mapping"))
        expect(run("-f", "nothere.yaml").err).to(contain("-f: cannot read 'nothere.yaml'"))

    with it("holds several playbooks, one a document"):
        done = self.deploy(f"---\n{DELETE}---\n{SLACK}---\n")

        expect((done.code, done.err)).to(equal((0, "")))
        expect(self.cluster.names).to(contain("Function falco-shop", "Function falco-slack"))

    with it("is refused whole where one of its playbooks is wrong"):
        found = self.errors(f"{DELETE}---\n{SLACK.replace('falco.error.*', 'falco.info.*')}")

        expect(found).to(have_len(1))
        expect(found[0]).to(start_with("delete.yaml:21: topic 'falco.info.*'"))

    with it("says which of its playbooks were deployed where one fails"):
        done = self.deploy(f"{DELETE}---\n{SLACK.replace('name: slack,', 'name: nothere,')}")

        expect(done.code).to(equal(1))
        expect(done.err).to(
            contain("deployed: ops/falco-shop", "not deployed: default/falco-slack")
        )

    with it("says which of its playbooks were removed where one fails"):
        self.deploy(f"{DELETE}---\n{SLACK}")
        self.cluster.failures["delete", "Function"] = NotPermitted("you may not")
        both = run("remove", "-f", str(self.path), cluster=self.cluster)

        expect(both.code).to(equal(1))
        expect(both.err).to(contain("you may not", "not removed: falco-slack, falco-shop"))

    with it("holds no function twice"):
        expect(self.errors(f"{DELETE}---\n{DELETE}")).to(
            equal([f"delete.yaml:18: falco-shop stands at {self.path}:1 already"])
        )

    with it("does not let an option be for one of several playbooks"):
        for typed in (("-p", "delete"), ("-N", "x"), ("-t", "falco.>")):
            found = self.errors(f"{DELETE}---\n{SLACK}", *typed)

            expect(found).to(equal([f"{typed[0]}: which of the 2 playbooks of -f is meant?"]))

    with it("is printed, compared and removed"):
        self.path.write_text(f"{DELETE}---\n{SLACK}")
        file = ("-f", str(self.path))
        printed = run("-d", *file, cluster=self.cluster)
        before = run("diff", *file, cluster=self.cluster)
        run(*file, cluster=self.cluster)
        after = run("diff", *file, cluster=self.cluster)
        removed = run("remove", *file, cluster=self.cluster)

        functions = [d for d in documents_of(printed.out) if d["kind"] == "Function"]
        expect([f["metadata"]["name"] for f in functions]).to(equal(["falco-shop", "falco-slack"]))
        expect([before.code, after.code, removed.code]).to(equal([1, 0, 0]))
        expect(self.cluster.names).to(equal(["ClusterRole falco-playbook-worker", "Secret slack"]))


with description("The file of what is deployed") as self:
    with before.each:
        self.cluster = FakeObjects(a_secret("slack", url=WEBHOOK))

    def get(self, *typed):
        return run("get", *typed, cluster=self.cluster)

    with it("deploys the same"):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "x.yaml")
            path.write_text(f"{DELETE}---\n{SLACK}")
            run("-f", str(path), cluster=self.cluster)
            got = self.get("-A")
            path.write_text(got.out)
            again = run("-f", str(path), cluster=self.cluster)
            diff = run("diff", "-f", str(path), cluster=self.cluster)

        expect((got.code, got.err)).to(equal((0, "")))
        expect([diff.code, diff.out]).to(equal([0, ""]))
        expect(again.out).not_to(contain("changed   ", "created"))
        written = [yaml.safe_load(text) for text in (DELETE, SLACK)]
        written[1]["name"] = "slack"
        written[0]["settings"] = {k: str(v) for k, v in written[0]["settings"].items()}
        written[0]["settings"].update(DRY_RUN="true", GRACE_PERIOD_SECONDS="010")
        expect(sorted(documents_of(got.out), key=str)).to(equal(sorted(written, key=str)))

    with it("holds no secret, and deploys the same all the same"):
        slack = ("-E", "kubernetes", "-p", "slack", "-t", "falco.error.*")
        secret = f"SLACK_WEBHOOK_URL={WEBHOOK}"
        run(
            *slack, "-e", secret, "-e", "HTTPS_PROXY=http://joe:hunter2@proxy", cluster=self.cluster
        )
        got = self.get("-p", "slack", "-o", "yaml")
        environ = {"HTTPS_PROXY": "http://joe:hunter2@proxy"}
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "slack.yaml")
            path.write_text(got.out)
            diff = run("diff", "-f", str(path), cluster=self.cluster, environ=environ)

        expect(got.out).not_to(contain("hunter2"))
        expect(got.err).to(
            contain("SLACK_WEBHOOK_URL is in Secret falco-slack", "export it before")
        )
        expect([diff.code, diff.out]).to(equal([0, ""]))

    with it("is of one namespace, or of one name"):
        run("-p", "delete", "-t", "falco.>", "-n", "ops", cluster=self.cluster)
        run("-p", "delete", "-t", "falco.>", "-N", "quick", "-n", "ops", cluster=self.cluster)

        expect(list(documents_of(self.get("-n", "ops").out))).to(have_len(2))
        expect(list(documents_of(self.get("-n", "ops", "-N", "quick").out))).to(have_len(1))
        expect(self.get().code).to(equal(1))
        expect(self.get().err).to(contain("there is no playbook in namespace default"))

    with it("leaves out what is of no playbook"):
        run("-p", "delete", "-t", "falco.>", cluster=self.cluster)
        self.cluster.the("Function", "falco-delete")["spec"]["handler"] = "older.handler"

        expect(self.get().err).to(contain("Function default/falco-delete is of no playbook here"))

    with it("leaves out what cannot be read in somebody's own, and has the others"):
        made = ("-t", "falco.>", "-E", "kubernetes", "--no-wait", "--image", "image:1")
        run("-p", "delete", *made, cluster=self.cluster)
        run("-p", "taint", "-n", "theirs", *made, cluster=self.cluster)
        deployment = self.cluster.the("Deployment", "falco-taint")
        template = deployment["spec"]["template"]
        for odd in ("[", "[" * 100_000, "[1]", "{}"):
            template["metadata"]["annotations"]["falco/patch"] = odd
            template["spec"]["containers"][0]["name"] = "x" if odd == "{}" else "falco-taint"
            got = self.get("-A")

            expect([each["name"] for each in documents_of(got.out)]).to(equal(["delete"]))
            expect(got.err).to(contain("Function theirs/falco-taint cannot be read, and is left"))

    with it("names functions to which alerts are pushed, which only their engine can tell"):
        words = ("-E", "knative", "-p", "isolate", "-n", "default", "-t", "falco.>", "-d")
        self.cluster.create([*documents_of(run(*words, cluster=self.cluster).out)])
        said = "default/falco-isolate is left out: its engine, knative, has what is deployed"

        expect(self.get().err).to(contain(said))
        expect(self.get("-p", "delete").err).not_to(contain(said))
