import json
import tempfile
from base64 import b64decode

from expects import contain, equal, expect, have_keys, have_length
from mamba import before, description, it

from playbooks.core.cluster.manifest import identity
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import WEBHOOK, a_secret, deployed, run

DELETE = ("-E", "kubernetes", "-p", "delete")
TOPIC = ("-t", "falco.error.*")
REUSE = ("--reuse-settings",)


with description("--reuse-settings") as self:
    with before.each:
        self.cluster = FakeObjects()

    def deployed(self, *words):
        return deployed(*words, cluster=self.cluster)

    def written(self):
        return {
            key: {k: v for k, v in manifest.items() if k != "status"}
            for key, manifest in self.cluster.objects.items()
        }

    def environment(self, function="falco-delete"):
        spec = self.cluster.the("Function", function)["spec"]["deployment"]["spec"]
        variables = spec["template"]["spec"]["containers"][0]["env"]
        return {each["name"]: each.get("value") for each in variables}

    with it("changes nothing where nothing else is given, whatever was given before"):
        with tempfile.NamedTemporaryFile("w") as file:
            json.dump({"spec": {"priorityClassName": "security", "tolerations": None}}, file)
            file.flush()
            self.cluster._store(a_secret("nats", password="hunter2"), uid="x")
            self.deployed(
                *(*DELETE, *TOPIC, "-t", "falco.critical.*", "-N", "quick"),
                *("-e", "NAMESPACES=shop", "-e", "V=a@$(X) $$", "-e", "NATS_USER=me", "-R", "2"),
                *("-s", "NATS_PASSWORD=nats/password", "-i", "x:1", "-P", file.name),
            )
        was = self.written()
        answer = self.deployed("-E", "kubernetes", "-N", "quick", *REUSE)

        expect(answer.out).not_to(contain("changed   "))
        expect(answer.err).not_to(contain(": was "))
        expect(self.written()).to(equal(was))

    with it("keeps the runtime of Kubeless"):
        kubeless = ("-E", "kubeless", "-p", "delete")
        self.deployed(*kubeless, *TOPIC, "-r", "python3.9")
        self.deployed(*kubeless, *REUSE, "-e", "DRY_RUN=true")

        expect(self.cluster.the("Function", "falco-delete")["spec"]["runtime"]).to(
            equal("python3.9")
        )

    with it("changes what is given, and keeps the rest"):
        self.deployed(*DELETE, *TOPIC, "-e", "NAMESPACES=shop", "-e", "DRY_RUN=true", "-R", "2")
        self.deployed(*DELETE, *REUSE, "-e", "DRY_RUN=false", "-R", "3")

        expect(self.environment()).to(have_keys(NAMESPACES="shop", DRY_RUN="false"))
        expect(self.cluster.the("Deployment", "falco-delete")["spec"]["replicas"]).to(equal(3))
        expect(self.cluster.names).not_to(contain("ClusterRole falco-delete.default"))

    with it("is not advised where it is given, and what was asked for takes more rights"):
        self.deployed(*DELETE, *TOPIC, "-e", "NAMESPACES=shop")
        wider = (*DELETE, "-e", "NAMESPACES=")

        said = "nothing was changed; --yes agrees to these changes"
        expect(run(*wider, *REUSE, cluster=self.cluster).err).to(contain(said))
        kept = "--reuse-settings keeps what is deployed"
        expect(run(*wider, *TOPIC, cluster=self.cluster).err).to(contain(kept))

    with it("takes the topics that are given instead of the deployed ones"):
        self.deployed(*DELETE, *TOPIC)
        self.deployed(*DELETE, *REUSE, "-t", "falco.critical.*", "--yes")
        triggers = [key for key in self.cluster.objects if key[0] == "NATSTrigger"]

        expect(triggers).to(have_length(1))
        expect(self.cluster.objects[triggers[0]]["spec"]["topic"]).to(equal("falco.critical.*"))

    with it("keeps a secret text, also one that begins like the name of a file"):
        slack = ("-E", "kubeless", "-p", "slack")
        self.deployed(*slack, *TOPIC, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}")
        answer = self.deployed(*slack, *REUSE, "-e", "DRY_RUN=true")
        data = self.cluster.the("Secret", "falco-slack")["data"]

        expect(b64decode(data["SLACK_WEBHOOK_URL"]).decode()).to(equal(WEBHOOK))
        expect(answer.out + answer.err).not_to(contain("hunter2"))

        data["SLACK_WEBHOOK_URL"] = "QC9ub3doZXJl"  # @/nowhere
        expect(run(*slack, *REUSE, cluster=self.cluster).err).to(
            contain("SLACK_WEBHOOK_URL is (not shown), expected a URL")
        )

    with it("takes a reference instead of a text that was given before"):
        self.cluster._store(a_secret("hooks", url=WEBHOOK), uid="x")
        slack = ("-E", "kubeless", "-p", "slack")
        self.deployed(*slack, *TOPIC, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}")
        self.deployed(*slack, *REUSE, "-s", "SLACK_WEBHOOK_URL=hooks/url")

        expect(self.environment("falco-slack")).to(
            have_keys(SLACK_WEBHOOK_URL_FILE="/falco-secrets/hooks/url")
        )

    with it("says that the function's own Secret lacks a text"):
        slack = ("-E", "kubeless", "-p", "slack")
        self.deployed(*slack, *TOPIC, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}")
        self.cluster.the("Secret", "falco-slack")["data"].clear()

        expect(run(*slack, *REUSE, cluster=self.cluster).err).to(
            contain("Secret default/falco-slack has no SLACK_WEBHOOK_URL any more: give it again")
        )

    with it("is refused where nothing is deployed, and changes nothing"):
        answer = run(*DELETE, *TOPIC, *REUSE, cluster=self.cluster)

        expect(answer.code).to(equal(1))
        expect(answer.err).to(contain("there is no Function default/falco-delete whose settings"))
        expect(self.cluster.changes).to(equal([]))

    with it("is refused for another playbook, without a name, and for this machine"):
        self.deployed(*DELETE, *TOPIC, "-N", "quick")
        for words, why in (
            (("-p", "taint", "-N", "quick"), "-p is taint, and default/falco-quick is of delete"),
            ((), "whose settings?"),
            (("-E", "local", *DELETE[2:]), "-E local has no settings"),
        ):
            answer = run(*words, *REUSE, cluster=self.cluster)

            expect(answer.code).to(equal(2))
            expect(answer.err).to(contain(why))

    with it("keeps the settings of what is printed, too"):
        self.deployed(*DELETE, *TOPIC, "-e", "NAMESPACES=shop")

        expect(run("-d", *DELETE, *REUSE, cluster=self.cluster).out).to(contain("value: shop"))
        expect(identity(self.cluster.the("Role", "falco-delete.default"))[1]).to(equal("shop"))
