from expects import be_empty, contain, equal, expect, have_key, have_len
from mamba import after, before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.deployment.engines.knative import filters
from specs.deployment.fake_objects import FakeObjects, NoCluster
from specs.deployment.fake_programs import FakePrograms
from specs.deployment.mothers import documents_of, run
from specs.support.conditions import not_run_unless
from specs.support.engines.knative_schemas import KNATIVE_CRDS, problems

DELETE = ("-E", "knative", "-p", "delete", "-n", "responders", "-t", "falco.error.*")
SHOP = ("-e", "NAMESPACES=shop")
TOKEN = ("-s", "EVENT_TOKEN=events/token")
SLACK = ("-E", "knative", "-p", "slack", "-n", "responders", "-t", "falco.>", *TOKEN)

# The keys that a Trigger may have. Its definition takes any, and its webhook refuses others.
# Source: knative/eventing, pkg/apis/eventing/v1/trigger_types.go and pkg/apis/duck/v1.
TRIGGER_KEYS = {"broker", "filter", "subscriber", "delivery"}
DELIVERY_KEYS = {"retry", "backoffPolicy", "backoffDelay", "deadLetterSink", "timeout"}

KUBECTL = """\
#!/bin/sh
for word in "$@"; do echo "$word" >>"$0.words"; done
case "$*" in *"-f -") /bin/cat >"$0.stdin" ;; esac
case "$*" in diff*) exit "$(/bin/cat "$0.differs")" ;; esac
"""


def shown(*words):
    done = run(*words, "-d", cluster=NoCluster())
    expect(done.code).to(equal(0))
    return [*documents_of(done.out)]


def of_kind(objects, kind):
    return [each for each in objects if each["kind"] == kind]


def the_pod(objects):
    found = of_kind(objects, "Service")[0]["spec"]["template"]
    return found["metadata"], found["spec"]


def variables(container):
    return {each["name"]: each.get("value") for each in container["env"]}


with description("-E knative") as self:
    with it("makes a Service that nobody outside of the cluster reaches"):
        service = of_kind(shown(*DELETE), "Service")[0]

        expect(service["metadata"]["labels"]["networking.knative.dev/visibility"]).to(
            equal("cluster-local")
        )

    with it("bounds concurrency, time and scale, which Knative leaves open"):
        metadata, spec = the_pod(shown(*DELETE))

        expect((spec["containerConcurrency"], spec["timeoutSeconds"])).to(equal((8, 60)))
        scale = {k.partition("/")[2]: v for k, v in metadata["annotations"].items()}
        expect((scale["min-scale"], scale["max-scale"])).to(equal(("1", "3")))

    with it("has a readiness probe on a path of its own, and names no port"):
        container = the_pod(shown(*DELETE))[1]["containers"][0]

        expect(container["readinessProbe"]["httpGet"]).to(equal({"path": "/readyz"}))
        expect(container).not_to(have_key("ports"))

    with it("passes the Pod Security profile restricted, without what is behind a feature flag"):
        _, spec = the_pod(shown(*DELETE))

        expect(set(spec)).to(
            equal(
                {
                    *("containerConcurrency", "timeoutSeconds", "serviceAccountName"),
                    *("containers", "volumes"),
                }
            )
        )
        expect(spec["containers"][0]["securityContext"]["runAsNonRoot"]).to(equal(True))
        expect([e for e in spec["containers"][0]["env"] if "fieldRef" in str(e)]).to(be_empty)

    with it("installs little in a stock image, or nothing in one that has everything"):
        objects = shown(*DELETE)
        files = next(o for o in of_kind(objects, "ConfigMap") if "binaryData" in o)
        image = the_pod(shown(*DELETE, "-i", "registry.example/falco:1"))[1]

        expect(files["data"]["requirements.txt"].split("==")[0::2][0]).to(equal("h11"))
        expect(files["data"]["requirements.txt"]).not_to(contain("kubernetes=="))
        expect(image["containers"][0]["image"]).to(equal("registry.example/falco:1"))
        expect(image["containers"][0]["command"]).to(
            equal(["python3", "-m", "playbooks.engines.knative"])
        )

    with it("prints the same each time, without the Secret unless it is asked for"):
        secret = (*SLACK, "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/x")
        done = run(*secret, "-d", cluster=NoCluster())

        expect(shown(*secret)).to(equal(shown(*secret)))
        expect(of_kind(shown(*secret), "Secret")).to(be_empty)
        expect(done.err).to(contain("responders/falco-slack (SLACK_WEBHOOK_URL) is left out"))
        expect(of_kind(shown(*secret, "--show-secrets"), "Secret")).not_to(be_empty)

    with it("keeps secrets in a Secret, of which the variables have the paths"):
        objects = shown(*SLACK, "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/x")
        container = the_pod(objects)[1]["containers"][0]

        expect(variables(container)["SLACK_WEBHOOK_URL_FILE"]).to(
            equal("/falco-slack/SLACK_WEBHOOK_URL")
        )
        expect(variables(container)["EVENT_TOKEN_FILE"]).to(equal("/falco-secrets/events/token"))
        expect(str(container)).not_to(contain("hooks.slack.example"))

    with it("says to which settings admission policies hold its account"):
        maps = of_kind(shown(*DELETE, "-e", "PROTECTED_NAMESPACES=payments"), "ConfigMap")
        found = next(each for each in maps if each["metadata"]["name"] == "falco-delete-admission")

        expect(found["metadata"]["labels"]["falco/admission"]).to(equal("delete"))
        expect(found["data"]["PROTECTED_NAMESPACES"]).to(equal("payments"))

    with it("warns where events are taken from whoever reaches it"):
        expect(run(*DELETE, "-d", cluster=NoCluster()).err).to(contain("EVENT_TOKEN is not given"))
        expect(run(*DELETE, *TOKEN, "-d", cluster=NoCluster()).err).to(equal(""))

    with it("labels all that it makes, and not such that it is removed as an orphan"):
        for each in shown(*SLACK, "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/x"):
            labels = each["metadata"]["labels"]

            expect(labels["falco/function-namespace"]).to(equal("responders"))
            expect(labels).not_to(have_key("created-by"))

    with description("its Triggers"):
        with it("are one for each priority and each rule that Falco ships"):
            topics = (
                "falco.error.*",
                "falco.informational.*",
                "falco.notice.terminal_shell_in_container",
            )

            expect(filters(topics)).to(
                equal(
                    [
                        {"priority": "Error"},
                        {"priority": "Informational"},
                        {"priority": "Notice", "rule": "Terminal shell in container"},
                    ]
                )
            )

        with it("let all pass of which Falco's own name of the rule is not known"):
            expect(filters(("falco.error.my_own_rule", "falco.error.write_*"))).to(
                equal([{"priority": "Error"}])
            )
            expect(filters(("falco.>",))).to(equal([{}]))
            expect(filters(("falco.*.terminal_shell_in_container",))).to(
                equal([{"rule": "Terminal shell in container"}])
            )

        with it("bring no event twice"):
            expect(filters(("falco.error.terminal_shell_in_container", "falco.error.*"))).to(
                equal([{"priority": "Error"}])
            )
            expect(filters(("falco.error.*", "falco.*.*"))).to(equal([{}]))

        with it("take events of Falcosidekick only, so that no answer becomes another event"):
            for trigger in of_kind(shown(*DELETE), "Trigger"):
                expect(trigger["spec"]["filter"]["attributes"]["type"]).to(
                    equal("falco.rule.output.v1")
                )

        with it("have keys that Knative's webhook takes, and both of those that count together"):
            for trigger in of_kind(shown(*DELETE, "--broker", "falco"), "Trigger"):
                spec = trigger["spec"]

                expect(set(spec) - TRIGGER_KEYS).to(be_empty)
                expect(set(spec["delivery"]) - DELIVERY_KEYS).to(be_empty)
                expect(spec["delivery"]).to(have_key("backoffPolicy"))
                expect(spec["delivery"]).to(have_key("backoffDelay"))
                expect(spec["broker"]).to(equal("falco"))

    with description("and kubectl"):
        with before.each:
            self.programs = FakePrograms({"kubectl": KUBECTL})

        with after.each:
            self.programs.close()

        def run(self, *words):
            return self.programs.run(*words)

        def words(self):
            return self.programs.kept("kubectl.words").splitlines()

        def applied(self):
            return [*documents_of(self.programs.kept("kubectl.stdin"))]

        with it("apply all of it, and take away Triggers of topics that are given no more"):
            done = self.run(*DELETE, *TOKEN, "--context", "staging")
            words = self.words()

            expect((done.code, done.err)).to(equal((0, "")))
            expect(words[:3]).to(equal(["--context", "staging", "apply"]))
            expect(words).to(contain("--prune", "eventing.knative.dev/v1/Trigger"))
            expect(self.applied()).to(equal(shown(*DELETE, *TOKEN)))
            expect(done.out).to(contain("knative-eventing.svc.cluster.local/responders/default"))

        with it("say what deploying would change, with kubectl's exit code"):
            codes = []
            for code in ("0", "1", "3"):
                self.programs.path("kubectl.differs").write_text(code)
                codes.append(self.run("diff", *DELETE, *TOKEN).code)

            expect(codes).to(equal([0, 1, 2]))
            expect(self.applied()).to(equal(shown(*DELETE, *TOKEN)))

        with it("act on the cluster of the kubeconfig that was named"):
            self.run(*DELETE, *TOKEN, "--kubeconfig", "/a/config")

            expect(self.words()[:3]).to(equal(["--kubeconfig", "/a/config", "apply"]))

        with it("ask before deploying again loses settings or gives more rights"):
            cluster = FakeObjects(*shown(*DELETE, *TOKEN, *SHOP))
            same = self.programs.run(*DELETE, *TOKEN, *SHOP, cluster=cluster)
            self.programs.path("kubectl.words").unlink()
            refused = self.programs.run(*DELETE, *TOKEN, cluster=cluster)

            other = ("-E", "knative", "-p", "delete", "-n", "responders", "-t", "falco.alert.*")
            topic = self.programs.run(*other, *TOKEN, *SHOP, cluster=cluster)

            expect((same.code, same.err)).to(equal((0, "")))
            expect(topic.err).to(contain("topics: was falco.error.*, now falco.alert.*"))
            expect(refused.code).to(equal(1))
            expect(refused.err).to(
                contain(
                    "NAMESPACES: was shop, now not set",
                    ": was shop, now the whole cluster",
                    "nothing was changed; --yes agrees to these changes",
                )
            )
            expect(self.programs.path("kubectl.words").exists()).to(equal(False))
            expect(self.programs.run(*DELETE, *TOKEN, "-y", cluster=cluster).code).to(equal(0))

        with it("remove the rights of before that are not needed any more, and say so before"):
            cluster = FakeObjects(*shown(*DELETE, *TOKEN))
            self.programs.path("kubectl.differs").write_text("0")
            changes = self.programs.run("diff", *DELETE, *TOKEN, *SHOP, cluster=cluster)
            before = cluster.names
            done = self.programs.run(*DELETE, *TOKEN, *SHOP, cluster=cluster)

            gone = ["ClusterRole", "ClusterRoleBinding"]
            gone = [f"{kind} falco-delete.responders" for kind in gone]
            expect(changes.code).to(equal(1))
            expect(changes.out).to(contain("ClusterRole.falco-delete.responders", "-  - pods"))
            expect(before).to(contain(*gone))
            expect(done.code).to(equal(0))
            expect(done.out).to(
                contain(*(f"removed   {each}, which is not needed any more" for each in gone))
            )
            expect(cluster.names).not_to(contain(*gone))

        with it("say so where one may not look for the rights of before"):
            cluster = FakeObjects(*shown(*DELETE, *TOKEN, *SHOP))
            cluster.failures["clusterrolebindings.rbac.authorization.k8s.io"] = NotPermitted("no")
            done = self.programs.run(*DELETE, *TOKEN, *SHOP, cluster=cluster)

            expect(done.code).to(equal(0))
            expect(done.err).to(contain("whether rights of before are left cannot be looked at"))

        with it("apply the rights, too, whoever granted them"):
            done = self.run(*DELETE, *TOKEN, "--granted")

            expect(done.code).to(equal(2))
            expect(done.err).to(contain("--granted is for -E kubeless and -E kubernetes only"))

        with it("make another revision each time where secrets are given, which it reads once"):
            revisions = set()
            for _ in range(2):
                self.run(*SLACK, "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/x")
                applied = self.applied()
                revisions.add(the_pod(applied)[0]["annotations"]["falco/revision"])
                expect(of_kind(applied, "Secret")).not_to(be_empty)

            expect(revisions).to(have_len(2))

        with it("make the Secret alone"):
            self.run("secrets", *SLACK, "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/x")

            expect([each["kind"] for each in self.applied()]).to(equal(["Secret"]))

        with it("remove what has its labels, and call nothing removed that was not there"):
            done = self.run("-x", "-E", "knative", "-p", "delete", "-n", "responders")

            expect(done.out).not_to(contain("removed"))
            expect(self.programs.kept("kubectl.words")).to(
                contain("function=falco-delete,falco/function-namespace=responders", "triggers.")
            )

        with it("remove nothing where nothing knows the name, and say which one is alike"):
            done = self.run("-x", "-E", "knative", "-p", "delte", "-n", "responders")

            expect(done.code).to(equal(1))
            expect(done.err).to(
                contain("there is no function responders/falco-delte, did you mean delete?")
            )
            expect(done.out).not_to(contain("removed"))

        with it("say where kubectl comes from where it is not installed"):
            self.programs.remove("kubectl")

            expect(self.run(*DELETE, *TOKEN).err).to(contain("kubectl is not on the PATH"))

    with it("refuses what it would ignore, or what Knative refuses"):
        wrong = ("-e", "PORT=1", "-e", "TOPICS=falco.>", "--broker", "A_b")
        done = run(*DELETE, *wrong, "-d", cluster=NoCluster())

        for text in ("PORT is a variable", "TOPICS comes", "'A_b'"):
            expect(done.err).to(contain(text))


with description("What -E knative makes, held to Knative's own resource definitions,") as self:
    with it("is valid"):
        for words in (
            DELETE,
            (*SLACK, "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/x"),
            (*DELETE, "-i", "registry.example/falco:1"),
        ):
            objects = shown(*words)
            ours = [*of_kind(objects, "Service"), *of_kind(objects, "Trigger")]

            expect([(each["kind"], problems(each)) for each in ours if problems(each)]).to(be_empty)

    with it("would be found invalid with a field that is misspelt, or of another kind"):
        service = of_kind(shown(*DELETE), "Service")[0]
        spec = service["spec"]["template"]["spec"]
        spec["containerConcurency"] = 1
        expect(problems(service)).not_to(be_empty)

        del spec["containerConcurency"]
        spec["timeoutSeconds"] = "60s"
        expect(problems(service)).not_to(be_empty)


not_run_unless(KNATIVE_CRDS, globals(), title="held to Knative's own")
