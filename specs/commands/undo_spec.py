import json

from expects import be_empty, contain, contain_exactly, equal, expect
from mamba import before, description, it

from playbooks import cordon, isolate, taint
from playbooks.commands.undo import as_typed
from playbooks.core import catalogue
from playbooks.core.cluster.api_object import ApiObject, kind_of
from playbooks.core.containment.revocation import REVOKED, note
from playbooks.core.errors import (
    Conflict,
    NotPermitted,
)
from playbooks.core.instant import after
from playbooks.core.ledger.book import Book
from playbooks.core.ledger.contained import Contained
from playbooks.deployment.removal.client import Client, who
from playbooks.infrastructure.kubernetes.ledger import KEY
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.testing import (
    NOW,
    UID,
    FixedClock,
    InMemoryCluster,
    InMemoryLedger,
    a_node,
    a_pod,
    some_collaborators,
)
from specs.commands.fake_cluster import FakeCluster, run
from specs.deployment.mothers import a_worker_request, worker_objects
from specs.support.wired import reacted

POD = ("undo", "pod/web-0", "-n", "shop", "-A")
NODE = ("undo", "node/node-1", "-A")
UNTIL = str(after(NOW, 1800))


class Ledgers(dict):
    """By namespace and name; made when they are asked for."""

    def __missing__(self, place):
        self[place] = InMemoryLedger()
        return self[place]

    def undone(self, *place):
        return Book(self[place].text).undone

    @property
    def written(self):
        return [place for place, ledger in self.items() if ledger.text]


def functions(*deployed):
    """A cluster with Functions and their ledgers: playbook, name, namespace and what was typed."""
    objects = []
    for playbook, name, namespace, *typed in deployed:
        request = a_worker_request(playbook, "-N", name, *typed)
        made = worker_objects(request, namespace=namespace, image="image:1")
        names = (f"falco-{name}-ledger", f"falco-{name}.{namespace}")
        kept = [m for m in made.accessories if m["metadata"]["name"] in names]
        objects += [made.function, *(m for m in kept if not m["kind"].endswith("Role"))]
    return FakeCluster(*objects)


# As the cluster knows who asks, and this machine does.
BY = who(FakeCluster())


with description("falco-playbook undo") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_pod(), a_node())
        self.ledgers = Ledgers()
        self.deployed = functions(("isolate", "isolate", "ops"), ("taint", "taint", "ops"))

    def contain(self, playbook, place=None):
        ledger = self.ledgers[place or ("ops", f"falco-{playbook.playbook.name}-ledger")]
        wired = some_collaborators(self.cluster, ledger=ledger)
        reacted(playbook.playbook, self.cluster, wired=wired)
        self.cluster.calls.clear()

    def events(self):
        return [m for (kind, *_), m in self.deployed.objects.items() if kind == "Event"]

    def run(self, *typed, **how):
        client = Client(FixedClock(), self.cluster, lambda place: self.ledgers[place])
        given = {"cluster": self.deployed, **how}
        return run(*typed, client=lambda context: client, **given)

    with it("undoes an isolation"):
        self.contain(isolate)
        said = self.run(*POD)

        expect((said.code, said.err.count("error"))).to(equal((0, 0)))
        expect(said.out).to(contain("pod shop/web-0 is released"))
        expect(self.cluster.policies).to(be_empty)

    with it("undoes a taint"):
        self.contain(taint)
        said = self.run(*NODE)

        expect(said.code).to(equal(0))
        expect(list(self.cluster.known_nodes["node-1"].taints)).to(be_empty)

    with it("releases a node from every playbook that contained it, or from the one that is named"):
        self.deployed = functions(("taint", "taint", "ops"), ("cordon", "cordon", "ops"))
        self.contain(taint)
        self.contain(cordon)
        self.run(*NODE, "-p", "cordon")
        node = self.cluster.known_nodes["node-1"]
        expect((node.unschedulable, len(node.taints))).to(equal((False, 1)))

        self.contain(cordon)
        said = self.run(*NODE)
        node = self.cluster.known_nodes["node-1"]
        expect((said.code, node.unschedulable, len(node.taints))).to(equal((0, False, 0)))

    with it("creates nothing that stands in the ledger of whoever could not have deleted it"):
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "mine"},
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        }
        written = note(ApiObject(kind_of("clusterrolebinding"), binding))
        known = Contained("u", "clusterrolebinding", "", "mine", {REVOKED: written})
        place = ("evil", "falco-revoke-ledger")
        self.deployed = functions(("revoke", "revoke", "evil", "-e", "NAMESPACES=evil"))
        del self.deployed.objects["ClusterRoleBinding", "", "falco-revoke.evil"]
        StoredLedger(self.ledgers[place]).contain(known)
        said = self.run("undo", "clusterrolebinding/mine", "-A")

        expect((said.code, self.cluster.writes)).to(equal((1, [])))
        expect(said.err).to(contain("it has no rights in the whole cluster (no ClusterRoleBinding"))

    with it("undoes what a step of a chain did, by the ledger of the chain"):
        self.deployed = functions(("chain", "chain", "ops", "-e", "STEPS=isolate,cordon"))
        for playbook, typed in ((isolate, POD), (cordon, NODE)):
            self.contain(playbook, ("ops", "falco-chain-ledger"))
            said = self.run(*typed)

            expect((said.code, said.err.count("error"))).to(equal((0, 0)))
        expect(self.cluster.policies).to(be_empty)
        expect(self.cluster.known_nodes["node-1"].unschedulable).to(equal(False))
        expect(list(self.ledgers.undone("ops", "falco-chain-ledger"))).to(contain(UID))
        expect(said.err).to(contain("chain leaves it alone until"))
        reporting = {each["reportingController"] for each in self.events()}
        expect(reporting).to(equal({"falco-playbooks/chain"}))

    with it("is on record of the function, also where its ledger has a name that a person chose"):
        self.deployed = functions(("isolate", "isolate", "ops", "-e", "LEDGER=book"))
        kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "book"}}
        kept["metadata"].update(namespace="ops", labels={"falco/ledger": "true"})
        self.deployed.create([kept])
        self.contain(isolate, ("ops", "book"))
        self.run(*POD)
        (made,) = self.events()

        expect(made["metadata"]["labels"]["falco/function"]).to(equal("falco-isolate"))

    with it("puts the undoing on record, as an Event of the object and its function"):
        self.contain(isolate)
        self.run(*POD)
        (made,) = self.events()

        expect(made["reason"]).to(equal("Undone"))
        expect(made["regarding"]["uid"]).to(equal(UID))
        expect(made["metadata"]["labels"]["falco/function"]).to(equal("falco-isolate"))
        expect(made["note"]).to(contain(BY))

    with it("has nothing to undo when it is asked again, which is no failure"):
        self.contain(isolate)
        self.run(*POD)
        said = self.run(*POD)

        expect(said.code).to(equal(0))
        expect(said.out).to(contain("nothing to undo: pod shop/web-0 is not isolated"))

    with it("fails where somebody changed it since, unless it is forced"):
        self.contain(taint)
        node = self.cluster.known_nodes["node-1"]
        self.cluster.patch_node(node, spec={"taints": [{**node.taints[0], "value": "mine"}]})
        refused = self.run(*NODE)

        expect(refused.code).to(equal(1))
        expect(refused.out).to(contain("it was modified since", "--force"))
        expect(self.run(*NODE, "--force").code).to(equal(0))

    with it("says it for machines"):
        self.contain(isolate)
        said = json.loads(self.run(*POD, "-o", "json").out)

        expect((said["status"], said["reason"])).to(equal(("acted", "undone")))

    with it("fails for a pod that is not there"):
        for deployed in (self.deployed, functions()):
            said = self.run("undo", "pod/other", "-n", "shop", cluster=deployed)

            expect(said.code).to(equal(1))
            expect(said.err).to(contain("falco-playbook: error: no pod shop/other"))

    with it("takes the pod's namespace from the kubeconfig where none is given"):
        said = self.run("undo", "pod/web-0", "-A")

        expect(said.err).to(contain("no pod default/web-0"))

    with description("has the playbook leave the object alone"):
        with it("for 30 minutes, and who wants it is on record"):
            self.contain(isolate)
            said = self.run(*POD)

            expect(self.ledgers.undone("ops", "falco-isolate-ledger")).to(
                equal({UID: {"what": "pod shop/web-0", "by": BY, "until": UNTIL}})
            )
            expect(said.err).to(
                contain(
                    f"isolate leaves it alone until {UNTIL}, by {BY}"
                    " (ledger ops/falco-isolate-ledger)"
                )
            )

        with it("by whoever is named"):
            self.contain(isolate)
            self.run(*POD, "--by", "on-call bot", cluster=self.deployed)
            ledgers = self.run(*POD, "--by", "x", "--ledger", "a/b")

            expect(ledgers.code).to(equal(0))

        with it("in the ledger of every Function that runs it, and of no other playbook"):
            self.deployed = functions(
                ("isolate", "isolate", "ops"),
                ("isolate", "quick", "soc"),
                ("delete", "delete", "ops"),
            )
            self.contain(isolate)
            self.run(*POD)

            expect(set(self.ledgers)).to(
                equal({("ops", "falco-isolate-ledger"), ("soc", "falco-quick-ledger")})
            )

        with it("in no ConfigMap of others that somebody's Function names, and warns of that"):
            self.deployed = functions(
                ("isolate", "isolate", "ops"),
                ("isolate", "evil", "shop", "-e", "LEDGER=kube-system/extension"),
                ("isolate", "odd", "shop", "-e", "LEDGER=theirs"),
                ("isolate", "gone", "shop", "-e", "LEDGER=gone"),
                ("isolate", "bad", "soc"),
            )
            theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}
            theirs["metadata"]["namespace"] = "shop"
            self.deployed.create([theirs])
            self.deployed.the("ConfigMap", "falco-bad-ledger")["data"] = {KEY: "no ledger"}
            self.contain(isolate)
            said = self.run(*POD)

            expect((said.code, set(self.ledgers))).to(equal((0, {("ops", "falco-isolate-ledger")})))
            expect(said.err).to(
                contain(
                    "warning: the ledger of Function shop/falco-evil is left out:"
                    " kube-system/extension is in another namespace than its Function",
                    "ConfigMap shop/theirs has no label falco/ledger",
                    "there is no ledger shop/gone",
                    "the ledger of Function soc/falco-bad is left out: the ledger cannot be read",
                )
            )

        with it("in that of no Function whose account has no rights where the object is"):
            theirs = functions(("isolate", "evil", "evil", "-e", "NAMESPACES=evil"))
            self.deployed.create(list(theirs.objects.values()))
            self.ledgers["evil", "falco-evil-ledger"].failures = [NotPermitted("immutable")]
            self.contain(isolate)
            said = self.run(*POD)

            expect((said.code, set(self.ledgers.written))).to(
                equal((0, {("ops", "falco-isolate-ledger")}))
            )
            expect(said.err).to(
                contain(
                    "the ledger of Function evil/falco-evil is left out: it has no rights in"
                    " namespace shop (no RoleBinding falco-evil.evil), nor in the whole cluster"
                )
            )

        with it("whatever somebody wrote into a Function of another namespace"):
            self.contain(isolate)
            odd = {"apiVersion": "kubeless.io/v1beta1", "kind": "Function"}
            odd["metadata"] = {"name": "falco-odd", "namespace": "shop"}
            odd["spec"] = {"handler": "isolate.handler", "deployment": "text"}
            self.deployed.create([odd])
            said = self.run(*POD)

            expect((said.code, set(self.ledgers))).to(equal((0, {("ops", "falco-isolate-ledger")})))

        with it("in the namespaces of -n and of the kubeconfig only, without -A"):
            self.deployed = functions(("isolate", "a", "shop"), ("isolate", "b", "default"))
            self.deployed.create(list(functions(("isolate", "c", "ops")).objects.values()))
            self.contain(isolate, ("shop", "falco-a-ledger"))
            self.run(*POD[:-1])

            expect(set(self.ledgers)).to(
                equal({("shop", "falco-a-ledger"), ("default", "falco-b-ledger")})
            )

        with it("in that of one Function, where it is named"):
            self.deployed = functions(("isolate", "isolate", "ops"), ("isolate", "quick", "soc"))
            self.contain(isolate, ("soc", "falco-quick-ledger"))
            self.run(*POD, "-N", "quick")

            expect(set(self.ledgers)).to(equal({("soc", "falco-quick-ledger")}))

        with it("in the ledger that is given, without asking for Functions"):
            self.deployed.failures["functions.kubeless.io"] = NotPermitted("you may not")
            self.contain(isolate, ("a", "b"))
            said = self.run(*POD, "--ledger", "a/b")

            expect(said.code).to(equal(0))
            expect(set(self.ledgers)).to(equal({("a", "b")}))

        with it("nowhere, where that is wanted"):
            self.contain(isolate)
            before = dict(self.ledgers)
            refused = self.run(*POD, "--ledger", "off")
            said = self.run(*POD, "--ledger", "off", "--force")

            expect((refused.code, said.code, said.err)).to(equal((1, 0, "")))
            expect(refused.out).to(contain("no ledger knows"))
            expect(self.ledgers).to(equal(before))
            expect([event["note"] for event in self.events()]).to(contain_exactly(contain(BY)))

        with it("before it undoes anything: without it nothing is undone"):
            self.contain(isolate)
            self.ledgers["ops", "falco-isolate-ledger"].failures = [NotPermitted("you may not")]
            said = self.run(*POD)

            expect(said.code).to(equal(1))
            expect(said.err).to(contain("you may not"))
            expect(self.cluster.writes).to(be_empty)

        with it("once, also where somebody writes the pod at the same time"):
            self.contain(isolate)
            self.cluster.failures["patch_pod"] = [Conflict("written")]
            self.run(*POD)

            expect(list(self.ledgers.undone("ops", "falco-isolate-ledger"))).to(equal([UID]))

    with it("fails where no Function tells the ledger, or where one may not look"):
        self.contain(isolate)
        none = self.run(*POD, cluster=functions(("delete", "delete", "ops")))
        elsewhere = self.run(*POD[:-1])
        self.deployed.failures["functions.kubeless.io"] = NotPermitted("you may not")
        forbidden = self.run(*POD)

        expect(none.err).to(contain("no Function of playbook isolate is deployed", "--ledger"))
        expect(elsewhere.err).to(
            contain("in namespace shop or default", "-A looks in all namespaces", "--ledger")
        )
        expect(forbidden.err).to(
            contain("Functions cannot be listed: you may not", "without -A", "--ledger")
        )
        expect(self.cluster.writes).to(be_empty)

    with it(
        "asks of an object without marks the playbook that is deployed, or names all that may be"
    ):
        one = self.run(*NODE, cluster=functions(("taint", "taint", "ops")))
        none = self.run(*NODE, cluster=functions(("delete", "delete", "ops")))

        expect((one.code, one.out)).to(
            equal((0, "nothing to undo: node node-1 has no taint that a playbook added\n"))
        )
        expect(none.err).to(contain("no Function of playbook cordon or drain or label or taint is"))

    with it("lists the Functions once, however many playbooks may have contained the object"):
        deployed = (("taint", "taint", "ops"), ("cordon", "cordon", "ops"))
        self.deployed = functions(*deployed)
        self.run(*NODE)
        expect(self.deployed.reads.count(("list", "functions.kubeless.io"))).to(equal(1))

        self.contain(taint)
        self.contain(cordon)
        self.deployed = functions(*deployed)
        self.run(*NODE)
        expect(self.deployed.reads.count(("list", "functions.kubeless.io"))).to(equal(1))

    with it("undoes nothing where a playbook that contained the object is not deployed"):
        self.deployed = functions(("taint", "taint", "ops"))
        self.contain(taint)
        self.contain(cordon)
        said = self.run(*NODE)

        expect(said.code).to(equal(1))
        expect(said.err).to(contain("no Function of playbook cordon is deployed"))
        expect(self.cluster.writes).to(be_empty)

    with it("says in its help what can be undone"):
        said = " ".join(run("undo", "-h").out.split())

        for playbook in catalogue.containing():
            for kind in playbook.reaction.CONTAINMENT.KINDS:
                expect(said).to(contain(f"{kind}/NAME"))

    with it("takes a kind as kubectl does, which prints it with its API"):
        named = {
            "pod": ("pods/x", "po/x", "Pod/x"),
            "node": ("nodes/x", "no/x"),
            "deployment": ("deployments/x", "deploy/x", "deployment.apps/x", "deployments.apps/x"),
            "rolebinding": ("rolebindings/x", "rolebinding.rbac.authorization.k8s.io/x"),
            "statefulset": ("sts/x",),
        }
        for kind, ways in named.items():
            for typed in ways:
                expect(as_typed(typed)).to(equal(f"{kind}/x"))
        self.contain(isolate)
        expect(self.run("undo", "pods/web-0", *POD[2:]).out).to(contain("web-0 is released"))

    with it("says of a playbook that it does not know how it comes to know it"):
        expect(run("undo", "deployment/web", "-p", "quarantine").err).to(
            contain(
                "there is no playbook quarantine here, expected its file after -p, its package"
                " installed, or revoke or scale for a deployment"
            )
        )

    with it("is refused for what cannot be undone"):
        for what in ("web-0", "podss/web-0", "pod/", "pod/Web", "service/x", "s/x", "pod./x"):
            said = run("undo", what)
            expect((said.code, "expected pod/NAME or node/NAME" in said.err)).to(equal((2, True)))
        of_pods = " or ".join(each.name for each in catalogue.containing("pod"))
        expect(run(*POD, "-p", "delete").err).to(
            contain(f"-p is 'delete', expected {of_pods} for a pod")
        )
        expect(run(*POD, "--ledger", "b").err).to(contain("--ledger is 'b', expected NAMESPACE/"))


with description("falco-playbook sweep") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_pod(), a_node())
        self.ledger = InMemoryLedger()
        for playbook, ttl in ((isolate, "ISOLATE_TTL"), (taint, "TAINT_TTL")):
            wired = some_collaborators(self.cluster, ledger=self.ledger)
            reacted(playbook.playbook, self.cluster, wired=wired, **{ttl: "1h"})

    def run(self, *typed, seconds=3600, **how):
        clock = FixedClock(after(NOW, seconds))
        client = Client(clock, self.cluster, lambda place: self.ledger)
        return run("sweep", *typed, "--ledger", "ops/book", client=lambda context: client, **how)

    with it("ends the isolations that are over, and no taint"):
        said = self.run("-p", "isolate")

        expect(said.code).to(equal(0))
        expect(said.out).to(contain("pod shop/web-0 is released"))
        expect(len(self.cluster.known_nodes["node-1"].taints)).to(equal(1))

    with it("ends the taints that are over"):
        said = self.run("-p", "taint", "-o", "json")

        expect(json.loads(said.out)[0]["reason"]).to(equal("untainted"))

    with it("ends nothing before, nor in another namespace, and says so"):
        expect(self.run("-p", "isolate", seconds=3599).out).to(
            equal("nothing of isolate has expired\n")
        )
        expect(self.run("-p", "isolate", "-n", "bank").out).to(
            equal("nothing of isolate has expired in bank\n")
        )
        expect(self.run("-p", "isolate", "-n", "bank", "-o", "json").out).to(equal("[]\n"))

    with it("ends nothing while the playbook is paused, and says so"):
        book = Book(self.ledger.text)
        book.pause("bob", NOW)
        self.ledger.text = book.text()

        expect(self.run("-p", "isolate").out).to(contain("nothing is ended: paused by bob"))

    with it("fails where something may not be ended"):
        self.cluster.failures["patch_pod"] = [NotPermitted("may not")]

        expect(self.run("-p", "isolate").code).to(equal(1))

    with it("says in its help which playbooks have something that ends, by which setting"):
        said = " ".join(run("sweep", "-h").out.split())

        for playbook in catalogue.containing():
            ttl = playbook.reaction.TTL
            expect(f"{playbook.name} ({ttl})" in said).to(equal(bool(ttl)))

    with it("ends nothing by the ledger of a Function whose account has no rights there"):
        clock = FixedClock(after(NOW, 3600))
        client = Client(clock, self.cluster, lambda place: self.ledger)
        theirs = functions(("taint", "evil", "evil"))
        del theirs.objects["ClusterRoleBinding", "", "falco-evil.evil"]
        words = ("sweep", "-p", "taint", "-A")
        said = run(*words, client=lambda context: client, cluster=theirs)

        expect(len(self.cluster.known_nodes["node-1"].taints)).to(equal(1))
        expect(said.err).to(
            contain("Function evil/falco-evil is left out: it has no rights in the")
        )
        ours = functions(("taint", "taint", "ops"))
        said = run(*words, client=lambda context: client, cluster=ours)
        expect((said.code, said.err)).to(equal((0, "")))
        expect(list(self.cluster.known_nodes["node-1"].taints)).to(be_empty)

    with it("is refused without a playbook that contains"):
        expect(run("sweep").err).to(contain("-p is missing, expected ", "isolate", "taint"))
        expect(run("sweep", "-p", "delete").code).to(equal(2))
