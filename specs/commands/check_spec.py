from expects import be_empty, contain, equal, expect, start_with
from mamba import before, description, it

from playbooks.core.cluster.manifest import reference
from playbooks.core.cluster.objects import Executed
from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.core.instant import Instant, after
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.limits import Limits
from playbooks.deployment.manifests import admission_policies
from playbooks.deployment.manifests.rbac import WORKER
from playbooks.deployment.request import by_name
from playbooks.engines.worker import watched
from playbooks.infrastructure.this_pod import SystemClock
from specs.commands.fake_cluster import POLICY, FakeCluster, a_cluster, answer, run
from specs.commands.readiness import (
    A_NODE,
    NATS,
    an_outcome,
    checked,
    inspected,
    ready,
    statuses,
    the_finding,
)

NOW = Instant.parse("2026-01-02T03:04:05Z")
TTL = ("-e", "ISOLATE_TTL=2h")


def a_controller(namespace="kubeless"):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "kubeless-controller-manager",
            "namespace": namespace,
            "labels": {"kubeless": "controller"},
        },
        "spec": {"replicas": 1},
    }


with description("falco-playbook check") as self:
    with before.each:
        self.cluster = ready()

    with it("finds everything in order where it is: exit code 0"):
        code, found, _ = checked(self.cluster)

        expect(code).to(equal(0))
        expect(set(found.values())).to(equal({"ok"}))
        expect(list(found)).to(
            equal(
                [
                    *("function", "topics", "rights", "ledger", "budgets", "exemptions"),
                    *("network policy", "nats", "nats, strangers", "jetstream"),
                    "nats, records",
                    *("alerts, identity", "alerts, hostname", "alerts, guards", "outcomes"),
                    "admission policy",
                    *("policy, bare, new", "policy, bare, open"),
                    *("policy, replica, new", "policy, replica, open"),
                ]
            )
        )

    with it("is refused for a playbook that is not there, before anything is looked at"):
        said = run("check", "-p", "nope", cluster=self.cluster)

        expect((said.code, said.out)).to(equal((2, "")))
        expect(said.err).to(contain("there is no playbook 'nope'"))

    with it("says so in one line a check, and what to do in another"):
        self.cluster.may_not = ("patch pods",)
        said = run("check", "-p", "isolate", cluster=self.cluster)
        lines = said.out.splitlines()

        expect(lines[0]).to(
            equal(
                "ok       function               1 of 1 workers of default/falco-isolate are ready"
            )
        )
        expect(lines[2]).to(
            equal("failed   rights                 falco-isolate may not patch pods")
        )
        expect(lines[3].strip()).to(start_with("deploy it again"))
        expect(lines[-1]).to(equal("default/falco-isolate is not ready"))
        expect(said.code).to(equal(1))

    with it("is content with warnings"):
        self.cluster.says = inspected(stream={"about": "stream", "missing": "none"})
        self.cluster.version = "v1.29.0"
        code, found, _ = checked(self.cluster)

        expect(set(found.values())).to(contain("warning"))
        expect(code).to(equal(0))

    with it("is not content with what could not be looked at, and says that it could not"):
        self.cluster.failures["nodes"] = NotPermitted("nodes is forbidden")
        code, found, all_of_it = checked(self.cluster)

        expect((code, found["alerts, hostname"])).to(equal((1, "unknown")))
        expect(all_of_it["alerts, hostname"]["says"]).to(equal("not permitted: nodes is forbidden"))

    with it("goes on where the API server does not answer one question"):
        self.cluster.failures["nodes"] = PlaybookError("timed out\nafter 20 s")
        status, says, _ = the_finding(self.cluster, "alerts, hostname")

        expect((status, says)).to(equal(("unknown", "could not be checked: timed out after 20 s")))

    with it("looks at nothing but pods for isolate alone"):
        found = statuses(ready(playbook="delete"), playbook="delete")

        expect([name for name in found if name.startswith("policy")]).to(be_empty)

    with it("lets nothing from an alert speak to a terminal"):
        self.cluster.says = inspected(alerts={"hosts": {"\x1b[2J": 1}})

        expect(run("check", "-p", "isolate", cluster=self.cluster).out).to(contain("\\x1b[2J (1)"))

    with it("is refused for a playbook that is none, as whatever else is typed wrong"):
        expect(run("check", "-p", "isolte", cluster=FakeCluster()).code).to(equal(2))


with description("falco-playbook check, of the function") as self:
    with it("fails where there is none, and looks at what is there without it"):
        cluster = FakeCluster(*admission_policies.policies(), A_NODE)
        code, found, _ = checked(cluster)

        expect((code, found["function"])).to(equal((1, "failed")))
        expect(list(found)).to(contain("policy, bare, new"))
        expect(list(found)).not_to(contain("rights", "nats"))

    with it("fails on a cluster that was never set up, and says what to do"):
        cluster = FakeCluster(served=())
        status, says, do = the_finding(cluster, "function", playbook="delete")

        expect((status, says)).to(
            equal(
                (
                    "failed",
                    "this cluster does not serve kubeless.io/v1beta1 (functions, natstriggers).",
                )
            )
        )
        expect(do).to(contain("deploy_playbook -S"))

    with it("warns where some workers are not ready, and fails where none is"):
        cluster = ready()
        deployment = cluster.the("Deployment", "falco-isolate")
        deployment["spec"]["replicas"] = 2
        status = deployment["status"]
        expect(the_finding(cluster, "function")[:2]).to(
            equal(("warning", "1 of 2 workers of default/falco-isolate are ready"))
        )
        status["readyReplicas"] = 0
        expect(the_finding(cluster, "function")[0]).to(equal("failed"))

    with it("says what its pods say where none runs, and that nobody could ask NATS"):
        cluster = a_cluster(playbook="isolate", pods=())
        cluster.the("Deployment", "falco-isolate")["status"] = {}
        _, found, all_of_it = checked(cluster)

        expect(all_of_it["function"]["says"]).to(contain("is it scaled to 0?"))
        expect(found["nats"]).to(equal("unknown"))

    with it("warns where it has no topics"):
        cluster = ready()
        trigger = cluster.the("NATSTrigger", "falco-isolate-trigger-0")
        trigger["spec"]["functionSelector"]["matchLabels"]["function"] = "another"

        expect(the_finding(cluster, "topics")[0]).to(equal("warning"))

    with it("is about Kubeless where that serves it, and looks at nothing of NATS then"):
        cluster = ready()
        template = cluster.the("Deployment", "falco-isolate")["spec"]["template"]
        template["metadata"]["annotations"] = {}
        expect(the_finding(cluster, "function")[:2]).to(
            equal(("failed", "it has no worker, and no controller of Kubeless is ready"))
        )
        cluster.create([a_controller()])
        expect(the_finding(cluster, "function")[0]).to(equal("ok"))
        expect(the_finding(cluster, "nats")[0]).to(equal("warning"))

    with it("looks for Kubeless in KUBELESS_NAMESPACE, for who may not look in all namespaces"):
        cluster = ready()
        template = cluster.the("Deployment", "falco-isolate")["spec"]["template"]
        template["metadata"]["annotations"] = {}
        cluster.create([a_controller("faas")])
        cluster.failures["deployments.apps"] = NotPermitted("forbidden")
        words = ("check", "-p", "isolate")
        found, there = (
            run(*words, cluster=cluster, environ=environ)
            for environ in ({}, {"KUBELESS_NAMESPACE": "faas"})
        )

        expect(found.out).to(contain("no controller of Kubeless is ready"))
        expect(there.out).to(contain("Deployment faas/kubeless-controller-manager is ready"))


with description("falco-playbook check, of who reaches the worker") as self:
    with before.each:
        self.cluster = ready()
        self.policy = self.cluster.the("NetworkPolicy", "falco-isolate")

    def found(self):
        return the_finding(self.cluster, "network policy")

    with it("names the namespaces that alerts may come from"):
        expect(self.found()).to(
            equal(("ok", "alerts may come from falco and from the API server", ""))
        )

    with it("warns where the API server is elsewhere since"):
        self.cluster.api_server["endpoints"].append({"addresses": ["192.0.2.9"]})

        status, says, do = self.found()
        expect([status, do]).to(equal(["warning", "deploy the playbook again"]))
        expect(says).to(contain("does not let the API server in from 192.0.2.9"))

    with it("warns where its address was not known on deploying, and is not now"):
        self.policy["spec"]["ingress"][0]["from"].pop()
        self.cluster.api_server["endpoints"].clear()

        expect(self.found()[0]).to(equal("warning"))

    with it("warns where the policy is gone, and says where it lets every pod in"):
        del self.policy["spec"]["ingress"][0]["from"]
        expect(self.found()[1]).to(contain("every namespace", "HTTP_FROM=any"))
        self.cluster.delete(self.policy)

        expect(self.found()[:2]).to(
            equal(
                (
                    "warning",
                    "there is no NetworkPolicy default/falco-isolate: every pod reaches the worker",
                )
            )
        )


with description("falco-playbook check, of nodes") as self:

    def of_nodes(self, *typed, nodes=()):
        cluster = ready(*typed, playbook="taint")
        cluster.create(list(nodes))
        return the_finding(cluster, "nodes", playbook="taint")

    def node(self, name, *taints, **labels):
        return {
            **{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}},
            **{"spec": {"taints": list(taints)}},
            **{"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        }

    with it("fails on a cluster of one node, which no taint could be put on, and says why"):
        status, says, do = self.of_nodes()

        expect(status).to(equal("failed"))
        expect(says).to(contain("taint may change none of 1 nodes", "(ALLOW_LAST_NODE=true)"))
        expect(do).to(contain("deploy it with"))

    with it("is content where a setting allows it"):
        for typed in ("ALLOW_LAST_NODE=true", "TAINT_EFFECT=PreferNoSchedule"):
            expect(self.of_nodes("-e", typed)[:2]).to(
                equal(("ok", "taint may change 1 of 1 nodes"))
            )

    with it("names those that it may not change"):
        plane = self.node("plane", **{"node-role.kubernetes.io/controlplane": "true"})
        status, says, _ = self.of_nodes(nodes=[plane, self.node("worker")])

        expect(status).to(equal("ok"))
        expect(says).to(contain("2 of 3 nodes: node plane is of the control plane"))

    with it("knows where the API server runs"):
        node = self.node("worker")
        node["status"]["addresses"] = [{"type": "InternalIP", "address": "10.0.0.7"}]
        endpoints = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": "kubernetes", "namespace": "default"},
            "subsets": [{"addresses": [{"ip": "10.0.0.7"}]}],
        }

        expect(self.of_nodes(nodes=[node, self.node("b"), endpoints])[1]).to(
            contain("node worker runs an API server, at 10.0.0.7")
        )

    with it("does not look at nodes for a playbook that changes none"):
        expect(list(statuses(ready()))).not_to(contain("nodes"))

    with it("fails where all workers run on the only node that it could change, and spares it"):
        chosen = ("-e", "TAINT_EFFECT=NoExecute", "-e", "ALLOW_LAST_NODE=true")
        cluster = ready(*chosen, playbook="taint")
        plane = cluster.objects[("Node", "", "node-1")]["metadata"]
        plane["labels"] = {"node-role.kubernetes.io/control-plane": "true"}
        cluster.create([self.node("worker")])
        cluster.objects[("Pod", "default", "falco-taint-1")]["spec"] = {"nodeName": "worker"}
        status, says, _ = the_finding(cluster, "nodes", playbook="taint")

        expect(status).to(equal("failed"))
        expect(says).to(contain("can never act", "node worker runs all workers of the playbook"))

    with it("warns where as many nodes as it may are contained already, and says how to release"):
        taint = {"key": "falco/alert", "effect": "NoSchedule"}
        cluster = ready(playbook="taint")
        cluster.create([self.node("a", taint), self.node("b"), self.node("c")])
        status, says, do = the_finding(cluster, "nodes", playbook="taint")

        expect(status).to(equal("warning"))
        expect(says).to(contain("a contained already, and MAX_NODES is 1"))
        expect(do).to(equal("falco-playbook undo node/a -A"))


with description("falco-playbook check, of the ledger") as self:
    with before.each:
        self.cluster = ready("-e", "MAX_ACTIONS=3", playbook="delete")

    def finding(self, check):
        return the_finding(self.cluster, check, playbook="delete")

    def written(self, write):
        book = Book()
        write(book)
        stored = self.cluster.the("ConfigMap", "falco-delete-ledger")
        stored["data"] = {"ledger.json": book.text()}

    with it("warns while it is paused: by whom, why, and how it is resumed"):
        self.written(lambda book: book.pause("alice", NOW, "nodes move"))

        status, says, do = self.finding("ledger")
        expect(status).to(equal("warning"))
        expect(says).to(contain("by alice: nodes move"))
        expect(do).to(equal("falco-playbook resume -p delete -n default"))

    with it("warns of each namespace whose budget is used up, and says how it is reset"):
        self.written(
            lambda book: book.tripped.update(shop={"at": "2026-01-02T03:04:05Z", "limit": "3 of 3"})
        )

        status, says, do = self.finding("budgets")
        expect(status).to(equal("warning"))
        expect(says).to(
            contain("the budget of namespace shop is used up since 2026-01-02", "3 of 3")
        )
        expect(do).to(equal("falco-playbook reset -p delete -n default --budget-of shop"))

    with it("says what the budgets have left"):
        now, limits = SystemClock().now(), Limits(3, None, None, None, 600.0)
        self.written(lambda book: book.ask(Request("u", "shop", now), limits, now))

        expect(self.finding("budgets")[:2]).to(equal(("ok", "shop 1 of 3")))

    with it("cannot tell where there is none: nothing can be done then"):
        del self.cluster.objects[("ConfigMap", "default", "falco-delete-ledger")]

        expect(self.finding("ledger")[0]).to(equal("unknown"))


with description("falco-playbook check, of exemptions") as self:

    def of(self, *typed, pod=None, **annotations):
        cluster = ready(*typed, playbook="delete")
        given = {f"falco/{name.replace('_', '-')}": value for name, value in annotations.items()}
        cluster.create([reference("v1", "Namespace", "shop")])
        cluster.objects[("Namespace", "", "shop")]["metadata"]["annotations"] = given
        if pod:
            one = cluster.objects[("Pod", "default", "falco-delete-1")]
            one["metadata"]["annotations"].update(pod)
        return the_finding(cluster, "exemptions", playbook="delete")

    with it("warns where one does not count, and says what it takes"):
        for annotations, why in (
            ({"exempt": "delete"}, "without a time in falco/exempt-until"),
            ({"exempt": "*", "exempt_until": "soon"}, "without a time in falco/exempt-until"),
            ({"exempt": "delete", "exempt_until": "2020-01-01T00:00:00Z"}, "was exempted until"),
            ({"exempt": "*", "exempt_until": "2999-01-01T00:00:00Z"}, "for more than 7d"),
        ):
            status, says, do = self.of(**annotations)

            expect(status).to(equal("warning"))
            expect(says).to(contain("namespace shop", why))
            expect(do).to(contain("falco/exempt=delete falco/exempt-until=TIME"))

    with it("names those that count, and none of another playbook's"):
        soon = str(after(SystemClock().now(), 3600.0))

        status, says, _ = self.of(exempt="delete", exempt_until=soon, exempt_reason="migration")
        expect(status).to(equal("ok"))
        expect(says).to(contain("namespace shop is exempted from delete until", "migration"))
        expect(self.of(exempt="isolate")[1]).to(equal("nothing is exempted"))

    with it("looks at pods only where their annotations count"):
        pod = {"falco/exempt": "delete"}

        expect(self.of(pod=pod)[1]).to(equal("nothing is exempted"))
        expect(self.of("-e", "EXEMPT_PODS=true", pod=pod)[1]).to(
            contain("pod default/falco-delete-1 is exempted without a time")
        )


with description("falco-playbook check, of the alerts of the last day") as self:
    with before.each:
        self.cluster = ready()

    def of_guards(self, **alerts):
        self.cluster.says = inspected(alerts=alerts)
        return the_finding(self.cluster, "alerts, guards")

    with it("warns where the guards would skip all of them, and says why"):
        status, says, do = self.of_guards(
            passed=0,
            refused={"rule-not-listed": 8, "below-minimum-priority": 1},
            words={"rule-not-listed": "rule 'R' is none of RULES (Q)"},
        )

        expect(status).to(equal("warning"))
        expect(says).to(
            contain(
                "every alert of the last 24 hours (9) would have been skipped: 8 rule-not-listed"
            )
        )
        expect(says).to(contain("(rule 'R' is none of RULES (Q)); 1 below-minimum-priority"))
        expect(do).to(contain("docs/guards.md"))

    with it("counts what they skip where some pass"):
        expect(self.of_guards(passed=7, refused={"rule-not-listed": 2})[:2]).to(
            equal(("ok", "7 of 9 alerts pass; skipped for what is in them: rule-not-listed (2)"))
        )

    with it("says nothing where none could be asked about"):
        self.cluster.says = inspected(alerts={"passed": 0, "refused": {}})

        expect(list(statuses(self.cluster))).not_to(contain("alerts, guards"))

    with it("warns where all that were answered were skipped, with the reasons"):
        gone, exempt = (an_outcome("skipped", reason) for reason in ("pod-gone", "exempt"))
        self.cluster.outcomes = answer(gone, gone, exempt)

        expect(the_finding(self.cluster, "outcomes")).to(
            equal(
                (
                    "warning",
                    "all 3 alerts of the last 24 hours were skipped: pod-gone (2), exempt (1)",
                    "falco-playbook history -p isolate -n default --skipped --why",
                )
            )
        )

    with it("counts them where some were answered"):
        expect(the_finding(self.cluster, "outcomes")[:2]).to(
            equal(("ok", "of the last 24 hours: acted (1), skipped (1)"))
        )

    with it("warns where nothing is on record, and says nothing where there is none"):
        self.cluster.outcomes = answer({"error": "no stream"}, code=1, end=False)
        expect(the_finding(self.cluster, "outcomes")[:2]).to(
            equal(("warning", "they are not on record: no stream"))
        )
        self.cluster.outcomes = answer()
        expect(list(statuses(self.cluster))).not_to(contain("outcomes"))


with description("falco-playbook check, of rights") as self:
    with it("asks for every verb of the playbook and of its worker, as its account"):
        cluster = ready()
        playbook = by_name.load("isolate")
        of_view = watched.permissions(playbook, {})
        number = sum(len(p.verbs) for p in (*playbook.rights({}, looks=True), *of_view, *WORKER))

        expect(the_finding(cluster, "rights")[:2]).to(
            equal(("ok", f"all {number} rights that it needs, in all namespaces"))
        )

    with it("asks for what a setting makes it need, where it is set"):
        bare, timed = (the_finding(ready(*typed), "rights")[1] for typed in ((), TTL))

        expect(int(timed.split()[1]) - int(bare.split()[1])).to(equal(2))

    with it("asks in each namespace where the playbook is limited to some"):
        cluster = ready("-e", "NAMESPACES=shop,till")
        cluster.may_not = ("patch pods in till",)

        expect(the_finding(cluster, "rights")[:2]).to(
            equal(("failed", "falco-isolate may not patch pods in till"))
        )

    with it("asks for the worker's own in its own namespace"):
        cluster = ready(namespace="responders")
        cluster.may_not = ("watch natstriggers in responders",)

        expect(the_finding(cluster, "rights")[1]).to(
            equal("falco-isolate may not watch natstriggers in responders")
        )

    with it("cannot tell where one may not ask"):
        cluster = ready()
        cluster.before_call = lambda verb, manifest: None
        cluster._reviewed = lambda review: (_ for _ in ()).throw(
            NotPermitted("subjectaccessreviews")
        )

        expect(the_finding(cluster, "rights")[:2]).to(
            equal(("unknown", "not permitted: subjectaccessreviews"))
        )


with description("falco-playbook check, of NATS and its alerts") as self:
    with before.each:
        self.cluster = ready()

    def finding(self, check, **changes):
        self.cluster.says = inspected(**changes)
        return the_finding(self.cluster, check)

    with it("asks the worker about the playbook's topics, of a day, and of so many at most"):
        statuses(self.cluster)
        asked = next(command for command in self.cluster.executed if "-m" in command)

        expect(asked[1:]).to(
            equal(
                (
                    *("python3", "-m", "playbooks.engines.worker.operator", "inspect"),
                    *("--hours", "24", "--most", "5000", "--topics", "falco.error.*"),
                )
            )
        )

    with it("fails where the worker does not reach it, and looks at nothing behind it"):
        self.cluster.says = answer({**NATS, "why": "connection refused"})
        _, found, all_of_it = checked(self.cluster)

        expect(all_of_it["nats"]["says"]).to(
            equal("the worker does not reach nats://nats:4222: connection refused")
        )
        expect(found["nats"]).to(equal("failed"))
        expect(list(found)).not_to(contain("jetstream"))

    with it("fails where strangers are let in, and does not take for closed what was not tried"):
        expect(self.finding("nats, strangers", strangers={"why": "open"})[0]).to(equal("failed"))
        expect(self.finding("nats, strangers", strangers={"unknown": "x"})[0]).to(equal("unknown"))

    with it("fails where the NATS user may not store what the worker puts on record"):
        status, said, _ = self.finding("nats, records", records={"refused": ["falco-dead.falco-x"]})

        expect(status).to(equal("failed"))
        expect(said).to(contain("may not publish on falco-dead.falco-x"))

    with it("fails where no stream can keep the alerts, and warns where nothing keeps any"):
        for said, status in (
            ({"why": "no stream"}, "failed"),
            ({"missing": "none"}, "warning"),
            ({"unknown": "no answer"}, "unknown"),
        ):
            self.cluster.says = answer(NATS, {"about": "stream", **said})
            expect(the_finding(self.cluster, "jetstream")[0]).to(equal(status))

    with it("warns of each stream that has no bound, or refuses messages once it is full"):
        said = (
            "stream FALCO has no bound, and may fill the server's storage: nats stream edit FALCO"
        )
        self.cluster.says = answer(NATS, {"about": "stream", "name": "FALCO", "bounds": [said]})
        status, *_ = the_finding(self.cluster, "jetstream, bounds")

        expect(status).to(equal("warning"))
        expect(the_finding(self.cluster, "jetstream")[0]).to(equal("ok"))

    with it("counts alerts about pods that carry an id, and those that are about none"):
        expect(self.finding("alerts, identity")[:2]).to(
            equal(
                (
                    "ok",
                    "6 of 6 alerts about a pod have its uid or a container id"
                    " (10 of the last 24 hours; 3 are about no pod, 1 are invalid)",
                )
            )
        )

    with it("names the rules whose alerts carry none: some a warning, all a failure"):
        rules = {"Terminal shell": 2, "Drop and execute": 3}
        status, says, do = self.finding("alerts, identity", alerts={"unidentified": rules})
        expect(status).to(equal("warning"))
        expect(says).to(contain("6 of 11 alerts about", "not Drop and execute (3), Terminal"))
        expect(do).to(contain("k8s.pod.uid"))

        nothing = {"unidentified": rules, "identified": 0}
        expect(self.finding("alerts, identity", alerts=nothing)[0]).to(equal("failed"))

    with it("says that there may be more, and names a few rules only"):
        many = {f"rule {number}": 10 - number for number in range(8)}
        says = self.finding("alerts, identity", alerts={"unidentified": many, "cut": True})[1]

        expect(says).to(contain("the newest 10 of the last", "rule 4 (6), 3 more"))

    with it("warns where there are no alerts, or none about a pod: nothing was seen"):
        none = {"identified": 0}
        expect(self.finding("alerts, identity", alerts={"read": 0})[0]).to(equal("warning"))
        expect(self.finding("alerts, identity", alerts=none)[0]).to(equal("warning"))

    with it("fails where a topic's alerts are stored under other subjects"):
        renamed = {"renamed": {"falco.error.*": "falco.moved.x"}, "read": 0}
        status, says, do = self.finding("alerts, subjects", alerts=renamed)

        expect(status).to(equal("failed"))
        expect(says).to(contain("alerts of topic falco.error.* are stored under falco.moved.x"))
        expect(do).to(contain("take out what renames them"))

    with it("warns where hostname is no node's name"):
        hosts = {"node-1": 9, "falco-x7": 3, "": 1}
        status, says, _ = self.finding("alerts, hostname", alerts={"hosts": hosts})

        expect((status, says)).to(
            equal(
                (
                    "warning",
                    "in 4 of 13 alerts the hostname is no node's: falco-x7 (3), none at all (1)",
                )
            )
        )

    with it("cannot tell where the worker's answer breaks off, and says what it did tell"):
        self.cluster.says = answer(NATS, end=False)
        status, says, _ = the_finding(self.cluster, "nats")

        expect((status, says)).to(equal(("unknown", says)))
        expect(says).to(contain("the rest could not be checked", "is incomplete"))

    with it("cannot tell where the worker is of an older version"):
        missing = "No module named playbooks.engines.worker.operator"
        self.cluster.says = Executed(1, "", missing)

        expect(the_finding(self.cluster, "nats")[1]).to(contain("an older version", "again"))


with description("falco-playbook check, of the admission policy") as self:
    with before.each:
        self.cluster = ready()

    def finding(self):
        return the_finding(self.cluster, "admission policy")

    with it("tries each rule as the account, in dry runs, with what it refuses and what it allows"):
        status, says, _ = self.finding()
        expect(status).to(equal("ok"))
        expect(says).to(start_with("6 policies reject what the playbook never does"))

        expect({user for user, *_ in self.cluster.tried}).to(
            equal({"system:serviceaccount:default:falco-isolate"})
        )
        tried = [(operation, name) for _, operation, name, _ in self.cluster.tried]
        expect(tried).to(contain(("UPDATE", "falco-isolate-ledger"), ("CREATE", "falco-isolate-1")))
        labels = [
            body["metadata"].get("labels")
            for _, operation, name, body in self.cluster.tried
            if (operation, name) == ("UPDATE", "falco-isolate-1") and "metadata" in body
        ]
        expect(labels).to(
            contain(
                {"falco/isolated": "another"},
                {"created-by": None, "function": None, "falco/isolated": None},
                {"falco/isolated": self.cluster.the("Pod", "falco-isolate-1")["metadata"]["uid"]},
            )
        )

    with it("fails where it is not installed, or its binding is not"):
        for kind in admission_policies.KINDS:
            cluster = ready()
            cluster.delete(cluster.the(kind, POLICY))
            status, says, do = the_finding(cluster, "admission policy")

            expect((status, says)).to(equal(("failed", f"there is no {kind} {POLICY}")))
            expect(do).to(contain("deploy_playbook -S"))

    with it("fails where a policy refuses nothing, and names what the account could do"):
        self.cluster.lax = (POLICY,)
        status, says, _ = self.finding()

        expect(status).to(equal("failed"))
        expect(says).to(
            contain(
                "falco-isolate could do to Pod default/falco-isolate-1 what its playbook never"
                " does: it labels a pod as isolated with the pod's own uid only"
            )
        )

    with it("cannot tell where something else refuses, or one may not act as the account"):
        self.cluster.refusal = "admission webhook denied the request"
        expect(self.finding()[0]).to(equal("unknown"))
        self.cluster.refusal = "User cannot impersonate resource serviceaccounts"
        expect(self.finding()[0]).to(equal("unknown"))
        expect(self.finding()[2]).to(contain("impersonate serviceaccounts/falco-isolate"))

    with it("fails where it refuses also what the playbook does"):
        self.cluster.too_strict = (POLICY,)

        expect(self.finding()[0]).to(equal("failed"))
        expect(self.finding()[1]).to(start_with("falco-playbook-isolate-pods also rejects what"))

    with it("warns where the API server has no such policies, or none is about the account"):
        self.cluster.version = "v1.29.0"
        expect(self.finding()[0]).to(equal("warning"))

        named = ready("-N", "audit")
        status, says, do = the_finding(named, "admission policy", "-N", "audit")
        expect((status, do)).to(equal(("warning", "deploy it as -N isolate-NAME")))
        expect(says).to(contain("and this one is falco-audit"))

    with it("tries it on a node, for taint"):
        cluster = ready(playbook="taint")
        found = statuses(cluster, playbook="taint")

        expect(found["admission policy"]).to(equal("ok"))
        expect({name for _, _, name, _ in cluster.tried}).to(
            equal({"node-1", "falco-taint-ledger"})
        )

    with it("tries it on what other namespaces have, where those it looks in have none"):

        def tried_on(cluster):
            statuses(cluster, playbook="scale")
            return {name for _, _, name, _ in cluster.tried} & {"db", "near"}

        elsewhere, near = (
            {"kind": "StatefulSet", "metadata": {"name": name, "namespace": place}, "spec": {}}
            for name, place in (("db", "shop"), ("near", "default"))
        )

        def cluster_with(*there, typed=()):
            made = ready(*typed, playbook="scale")
            made.create([{"apiVersion": "apps/v1", **each} for each in there])
            return made

        expect(tried_on(cluster_with(elsewhere))).to(equal({"db"}))
        expect(tried_on(cluster_with(elsewhere, near))).to(equal({"near"}))
        limited = cluster_with(elsewhere, typed=("-e", "NAMESPACES=bank"))
        expect(tried_on(limited)).to(be_empty)

    with it("warns where nothing holds the account to its settings, and tries the rest"):
        cluster = ready(playbook="taint")
        cluster.delete(cluster.the("ConfigMap", "falco-taint-admission"))
        found = run("check", "-p", "taint", cluster=cluster).out

        expect(found).to(
            contain(
                "warning  admission policy       they do not hold it to its settings: there is no"
                " ConfigMap default/falco-taint-admission"
            )
        )
        expect(found).to(contain("ok       admission policy       3 policies reject"))

    with it("cannot tell where the cluster does not say what it serves"):
        self.cluster.failures["/apis/admissionregistration.k8s.io/v1"] = PlaybookError("timed out")
        expect(self.finding()[0]).to(equal("unknown"))
