import json
import os
import tempfile
from pathlib import Path
from unittest.mock import patch

from expects import be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import LEDGER, reference
from playbooks.core.containment.revocation import REVOKED
from playbooks.core.errors import NotPermitted
from playbooks.core.instant import after
from playbooks.core.ledger.book import Book
from playbooks.core.ledger.contained import Contained
from playbooks.core.outcome import Status
from playbooks.deployment.removal.client import Client, who
from playbooks.infrastructure.kubernetes.ledger import KEY
from playbooks.testing import (
    NOW,
    UID,
    FixedClock,
    InMemoryCluster,
    a_node,
    a_pod,
    a_replica_controller,
    some_collaborators,
)
from specs.commands.fake_cluster import FakeCluster, StoredLedger
from specs.commands.fake_cluster import a_pod as a_worker_pod
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import deployed, documents_of, run
from specs.support.wired import reacted

# By a kind of target: a cluster in which a playbook that contains such targets finds one.
WORLDS = {
    "pod": lambda: (a_pod(), a_node()),
    "node": lambda: (a_pod(), a_node()),
    "replicaset": lambda: (
        a_pod(owner="ReplicaSet/web"),
        a_replica_controller("web", labels={"app": "web"}),
    ),
}


def world_of(playbook):
    kinds = [kind for containment, _ in playbook.containments for kind in containment.KINDS]
    found = [WORLDS[kind] for kind in kinds if kind in WORLDS]
    if not found:
        raise AssertionError(f"WORLDS has none for {playbook.name}, which contains {kinds}")
    return InMemoryCluster(*found[0]())


def a_ledger(namespace):
    return reference("v1", "ConfigMap", "shared", namespace)


def refusing(namespace, get):
    """As ``get``, for those who may read nothing in this namespace."""

    def asked(manifests):
        if any(each["metadata"].get("namespace") == namespace for each in manifests):
            raise NotPermitted(f"you may not get configmaps in {namespace}")
        return get(manifests)

    return asked


with description("Removing a playbook that contains something") as self:
    with before.each:
        self.cluster = FakeObjects()
        self.target = InMemoryCluster(a_pod(), a_node())
        self.place = None

    def deploy(self, playbook, *typed):
        given = ("-E", "kubernetes", "-p", playbook, "-t", "falco.>", *typed)
        deployed(*given, cluster=self.cluster)

    def with_a_worker(self, playbook):
        self.cluster = FakeCluster()
        self.deploy(playbook)
        name = f"falco-{playbook}"
        owner = {"uid": self.cluster.the("Deployment", name)["metadata"]["uid"]}
        pod = a_worker_pod(f"{name}-1", function=name, ownerReferences=[owner])
        self.cluster.create([pod])

    def the_event(self):
        (found,) = [m for (kind, *_), m in self.cluster.objects.items() if kind == "Event"]
        return found

    def ledger(self, place):
        return StoredLedger(self.cluster, *place)

    def book(self):
        text, _ = self.ledger(self.place).read()
        return Book(text)

    def contain_it(self, name, place=None, **chosen):
        """``place``: of the ledger; by default that of the playbook's own."""
        self.place = place or ("default", f"falco-{name}-ledger")
        wired = some_collaborators(self.target, ledger=self.ledger(self.place))
        done = reacted(catalogue.load(name), self.target, wired=wired, **chosen)
        self.cluster.calls.clear()
        return done

    def remove(self, name, *typed):
        client = Client(FixedClock(), self.target, self.ledger)
        return run("remove", "-p", name, *typed, cluster=self.cluster, client=client)

    with it("names what stays contained, and removes nothing"):
        for name, target in (("isolate", "pod shop/web-0"), ("taint", "node node-1")):
            self.deploy(name)
            self.contain_it(name)
            done = self.remove(name)

            expect(done.code).to(equal(1))
            expect(done.err).to(
                contain(f"falco-{name} contains what nothing would", target, "nothing was removed")
            )
            expect(done.err).to(contain("--release", "--leave-contained"))
            expect(self.cluster.changes).to(be_empty)

    with it("reads the ledger once, for what it contains and for whether it is ours"):
        self.deploy("isolate")
        self.contain_it("isolate")
        self.cluster.reads.clear()
        self.remove("isolate")

        expect(self.cluster.reads.count(("get", "ConfigMap falco-isolate-ledger"))).to(equal(1))

    with it("is about every playbook that declares a containment of what is there"):
        for playbook in catalogue.containing():
            if any(kind.REMOVES for kind, _ in playbook.containments):
                continue
            self.target = world_of(playbook)
            self.deploy(playbook.name)
            outcome = self.contain_it(playbook.name)
            done = self.remove(playbook.name)

            expect((playbook.name, outcome.status)).to(equal((playbook.name, Status.ACTED)))
            expect((playbook.name, done.code)).to(equal((playbook.name, 1)))
            expect(done.err).to(contain(f"falco-{playbook.name} contains", outcome.target))

    with it("names what was revoked, which is left deleted"):
        self.deploy("revoke")
        book, store = Book(), self.ledger(("default", "falco-revoke-ledger"))
        for namespace, name in (("shop", "mine"), ("", "all")):
            kind = "rolebinding" if namespace else "clusterrolebinding"
            book.contain(Contained(name, kind, namespace, name, {REVOKED: "bm9uZQ=="}))
        store.write(book.text(), version=store.read()[1])
        done = self.remove("revoke")

        expect(done.code).to(equal(0))
        expect(done.err).to(
            contain(
                "stays deleted: rolebinding shop/mine (once falco-revoke is removed, no undo",
                "stays deleted: clusterrolebinding all (",
            )
        )

    with it("is about all that the steps of a chain left"):
        self.deploy("chain", "-e", "STEPS=isolate,taint")
        for step in ("isolate", "taint"):
            self.contain_it(step, ("default", "falco-chain-ledger"))
        done = self.remove("chain")

        expect(done.err).to(contain("pod shop/web-0", "node node-1", "nothing was removed"))
        expect(self.remove("chain", "--release").code).to(equal(0))
        expect(self.book().contained).to(be_empty)

    with it("says when it would end by its TTL"):
        self.deploy("isolate", "-e", "ISOLATE_TTL=1h")
        self.contain_it("isolate", ISOLATE_TTL="1h")

        expect(self.remove("isolate").err).to(contain("its TTL would end it at 20"))

    with it("is about functions to which alerts are pushed, too"):
        typed = ("-E", "openfaas", "-p", "isolate", "-t", "falco.>", "-i", "x/y", "-d")
        printed = run(*typed, cluster=self.cluster).out
        rights = [*documents_of(printed.partition("kubectl apply -f -\n")[2])]
        self.cluster.create(rights)
        self.contain_it("isolate", ("openfaas-fn", "falco-isolate-ledger"))
        with tempfile.TemporaryDirectory() as tools, patch.dict(os.environ, PATH=tools):
            other = self.remove("isolate", "-n", "openfaas-fn", "--release")
            without = self.remove("isolate", "-E", "openfaas", "--release")
            for name in ("faas-cli", "kubectl"):
                Path(tools, name).symlink_to("/bin/true")
            held = self.remove("isolate", "-E", "openfaas")
            released = self.remove("isolate", "-E", "openfaas", "--release")

        expect((other.code, other.out)).to(equal((2, "")))
        expect(other.err).to(contain("is a function of -E openfaas: give -E openfaas with -x"))
        expect(without.err).to(contain("faas-cli is not on the PATH"))
        expect(held.err).to(contain("pod shop/web-0", "nothing was removed"))
        expect(released.out).to(contain("released  pod shop/web-0 is released"))

    with it("leaves it where that is asked for, and names it"):
        self.deploy("isolate")
        self.contain_it("isolate")
        done = self.remove("isolate", "--leave-contained")

        expect(done.code).to(equal(0))
        expect(done.err.count("warning: stays contained: pod shop/web-0")).to(equal(1))
        expect(self.target.policies).not_to(be_empty)
        expect(self.cluster.names).to(equal(["ClusterRole falco-playbook-worker"]))

    with it("releases it first where that is asked for"):
        self.with_a_worker("isolate")
        self.contain_it("isolate")
        done = self.remove("isolate", "--release")

        expect((done.code, done.err)).to(equal((0, "")))
        expect(done.out).to(contain("released  pod shop/web-0 is released"))
        expect(self.target.policies).to(be_empty)
        left = [name for name in self.cluster.names if not name.startswith("Event ")]
        expect(left).to(equal(["ClusterRole falco-playbook-worker"]))

    with it("puts on record what it releases, as falco-playbook undo does"):
        self.with_a_worker("isolate")
        self.contain_it("isolate")
        self.remove("isolate", "--release")
        made, noted = self.the_event(), json.loads(self.cluster.executed[0][-1])
        said = f"; by {who(self.cluster)}, who removes falco-isolate"

        expect((made["reason"], made["regarding"]["uid"])).to(equal(("Undone", UID)))
        expect(made["metadata"]["labels"]["falco/function"]).to(equal("falco-isolate"))
        expect(made["metadata"]["annotations"]["falco/by"]).to(equal(who(self.cluster)))
        expect(made["note"]).to(contain("pod shop/web-0 is released", said))
        expect((noted["playbook"], noted["reason"])).to(equal(("isolate", "undone")))
        expect(noted["message"]).to(equal(made["note"]))

    with it(
        "releases nothing where it has no rights: whoever wrote its ledger could not contain it"
    ):
        self.deploy("taint")
        self.contain_it("taint")
        del self.cluster.objects["ClusterRoleBinding", "", "falco-taint.default"]
        done = self.remove("taint", "--release")

        expect((done.code, len(self.target.known_nodes["node-1"].taints))).to(equal((1, 1)))
        expect(done.err).to(
            contain("--release does not go by its ledger: it has no rights in the whole cluster")
        )
        expect(self.remove("taint", "--leave-contained").code).to(equal(0))

    with it("says what could not be put on record, and removes the playbook all the same"):
        self.deploy("isolate")
        self.contain_it("isolate")
        self.cluster.failures["create", "Event"] = NotPermitted("you may not create Events")
        done = self.remove("isolate", "--release")

        expect(done.code).to(equal(0))
        expect(done.err).to(
            contain(
                "warning: not recorded: there is no Event about it: you may not create Events",
                "not recorded: it is not in the stream: no worker of default/falco-isolate runs",
            )
        )
        expect(self.target.policies).to(be_empty)
        expect(self.cluster.names).to(equal(["ClusterRole falco-playbook-worker"]))

    with it("has the playbook leave alone what is released, for alerts come until it is gone"):
        self.deploy("chain", "-e", "STEPS=isolate,taint")
        for step in ("isolate", "taint"):
            self.contain_it(step, ("default", "falco-chain-ledger"))
        self.target.failures["patch_node"] = [NotPermitted("you may not patch nodes")]
        done = self.remove("chain", "--release")

        expect(self.book().undone[UID]["by"]).to(equal(who(self.cluster)))
        expect(done.out).to(contain("released  pod shop/web-0"))
        expect(done.err).to(
            contain(
                "node node-1 stays contained: you may not patch nodes",
                f"what was released is left alone until {after(NOW, 1800)}",
                "nothing was removed",
            )
        )

    with it("removes nothing where something cannot be released"):
        self.deploy("isolate")
        self.contain_it("isolate")
        self.target.failures["patch_pod"] = [NotPermitted("you may not patch pods")]
        done = self.remove("isolate", "--release")

        expect(done.code).to(equal(1))
        expect(done.err).to(
            contain("pod shop/web-0 stays contained: you may not", "nothing was removed")
        )
        expect([verb for verb, _ in self.cluster.changes]).not_to(contain("delete"))

    with it("releases what was contained while the workers finished"):
        self.deploy("isolate")
        self.cluster.before_call = lambda verb, manifest: (
            self.contain_it("isolate") if manifest["kind"] == "Deployment" else None
        )
        done = self.remove("isolate", "--release")

        expect(done.code).to(equal(0))
        expect(done.out).to(contain("released  pod shop/web-0 is released"))
        expect(self.the_event()["reason"]).to(equal("Undone"))
        expect(done.err).to(contain("the workers of default/falco-isolate are removed already"))

    with it("keeps the ledger of what was contained while the workers finished"):
        self.deploy("isolate")
        self.cluster.before_call = lambda verb, manifest: (
            self.contain_it("isolate") if manifest["kind"] == "Deployment" else None
        )
        done = self.remove("isolate")

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("its triggers and workers are removed; --release"))
        expect(self.cluster.names).to(contain("Function falco-isolate"))

        self.cluster.before_call = lambda verb, manifest: None
        expect(self.remove("isolate", "--release").code).to(equal(0))
        expect(self.cluster.names).not_to(contain("Function falco-isolate"))

    with it("is as ever where nothing is contained any more"):
        self.deploy("isolate")
        self.contain_it("isolate")
        self.target = InMemoryCluster()

        expect(self.remove("isolate").code).to(equal(0))

    with it("removes nothing where the ledger cannot be read, unless that is agreed to"):
        self.deploy("isolate")
        self.cluster.the("ConfigMap", "falco-isolate-ledger")["data"] = {KEY: "no book"}
        done = self.remove("isolate")

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("what falco-isolate contains cannot be read"))
        expect(self.cluster.changes).to(be_empty)
        expect(self.remove("isolate", "--leave-contained").code).to(equal(0))

    with description("by a ledger of another namespace, which whoever edits the Function names"):
        with before.each:
            self.deploy("isolate", "-e", "LEDGER=security/shared")
            self.cluster.create([a_ledger("security")])
            self.contain_it("isolate", ("security", "shared"))

        with it("looks into it, and says which one that is"):
            done = self.remove("isolate")

            expect(done.code).to(equal(1))
            expect(done.err).to(contain("pod shop/web-0", "nothing was removed"))
            expect(done.err.count("names ConfigMap security/shared, in another")).to(equal(1))

        with it("releases nothing, and says how that is done"):
            before = self.book().text()
            done = self.remove("isolate", "--release")

            expect(done.code).to(equal(1))
            expect(done.err).to(
                contain(
                    "--release does not go by its ledger: security/shared is in another namespace",
                    "only falco-playbook undo --ledger security/shared goes by it",
                    "nothing was removed; --leave-contained",
                )
            )
            expect(done.err).not_to(contain("--release releases them first"))
            expect(self.book().text()).to(equal(before))
            expect(self.target.policies).not_to(be_empty)
            expect(self.cluster.names).to(contain("Function falco-isolate"))

        with it("leaves what it contains, and the ledger, where that is asked for"):
            done = self.remove("isolate", "--leave-contained")

            expect(done.code).to(equal(0))
            expect(done.err).to(contain("stays contained: pod shop/web-0"))
            expect(self.cluster.names).to(contain("ConfigMap shared"))

        with it("does not depend on being allowed to read it"):
            self.cluster.get = refusing("security", self.cluster.get)
            done = self.remove("isolate")

            expect(done.code).to(equal(1))
            expect(done.err).to(contain("what falco-isolate contains cannot be read: you may not"))
            expect(self.remove("isolate", "--leave-contained").code).to(equal(0))

        with it("says which one that is also where nothing is contained, and then removes it"):
            self.target = InMemoryCluster()
            done = self.remove("isolate")

            expect(done.code).to(equal(0))
            expect(done.err.count("names ConfigMap security/shared, in another")).to(equal(1))

    with it("releases nothing by a ConfigMap that is no ledger of ours"):
        self.deploy("isolate", "-e", "LEDGER=shared")
        self.cluster.create([a_ledger("default")])
        self.contain_it("isolate", ("default", "shared"))
        refused = self.remove("isolate", "--release")

        expect(refused.code).to(equal(1))
        expect(refused.err).to(contain("ConfigMap default/shared has no label falco/ledger"))
        expect(self.target.policies).not_to(be_empty)

        self.cluster.the("ConfigMap", "shared")["metadata"]["labels"] = {LEDGER: "true"}
        expect(self.remove("isolate", "--release").out).to(contain("released  pod shop/web-0"))
        expect(self.cluster.names).to(contain("ConfigMap shared"))

    with it("takes one of both options, for a removal"):
        expect(self.remove("isolate", "--release", "--leave-contained").code).to(equal(2))
        expect(run("-p", "isolate", "-t", "falco.>", "--release").code).to(equal(2))
