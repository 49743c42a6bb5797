import json

from expects import be_empty, contain, equal, expect, have_keys, have_len, raise_error
from mamba import before, description, it

from playbooks import label
from playbooks.core import catalogue
from playbooks.core.containment.containment import OWN_KEYS
from playbooks.core.containment.expiry import expiry
from playbooks.core.containment.labeling import Labeling, is_reserved
from playbooks.core.containment.undo import Undo
from playbooks.core.errors import Conflict, InvalidSetting, NotFound
from playbooks.core.instant import after
from playbooks.core.outcome import Status
from playbooks.deployment.manifests import admission_policies
from playbooks.testing import (
    NOW,
    OTHER_UID,
    FixedClock,
    InMemoryCluster,
    a_pod,
    a_ready_node,
    an_alert,
    some_collaborators,
)

RULE = "terminal_shell_in_container"


def cluster_of(pod=None):
    return InMemoryCluster(pod or a_pod(), a_ready_node(), a_ready_node("node-2"))


def answer(cluster, alert=None, *, now=NOW, **given):
    collaborators = some_collaborators(cluster, clock=FixedClock(now))
    return label.playbook.responder(given, collaborators).answer(alert or an_alert())


def settings(**given):
    label.playbook.responder(given, some_collaborators())


def pod_of(cluster):
    return cluster.pods["shop", "web-0"]


def labels_of(cluster):
    return pod_of(cluster).labels


def keys_of(containment):
    """Of its notes, and of the label by which its pods are found."""
    return [*containment.KEYS, *filter(None, [getattr(containment, "LABEL", "")])]


def undo(cluster, name="web-0", *, namespace="shop", kind="pod", force=False):
    asked = Undo(Labeling, cluster, [cluster.ledger], lambda *_: None, force=force)
    return asked.undo(name, namespace=namespace, kind=kind)


def ended(cluster, now):
    collaborators = some_collaborators(cluster, clock=FixedClock(now))
    return expiry(label.playbook, {"LABEL_TTL": "1h"}, collaborators).once()


with description("Labeling a pod") as self:
    with before.each:
        self.cluster = cluster_of()

    with it("sets the labels and keeps those of others"):
        outcome = answer(self.cluster)

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "labeled")))
        expect(outcome.message).to(equal(f"labeled pod shop/web-0 with falco/alert={RULE}"))
        expect(outcome.details["undo"]).to(equal("falco-playbook undo pod/web-0 -n shop -A"))
        expect(labels_of(self.cluster)).to(
            equal({"app": "web", "falco/alert": RULE, "falco/labeled": "true"})
        )

    with it("is verified while what was written stands"):
        for target in ("pod", "node"):
            cluster = cluster_of()
            outcome = answer(cluster, LABEL_TARGET=target, ANNOTATIONS="falco/a=b")
            (look,) = outcome.follow_ups
            stands = look.look(True)
            undo(cluster, *(("node-1",) if target == "node" else ()), kind=target, force=True)
            gone = look.look(True)

            expect((stands.reason, gone.reason)).to(equal(("verified", "not-verified")))
            expect(gone.message).to(
                equal(f"{outcome.target} has falco/a, falco/alert no longer as it was written")
            )

    with it("notes what it wrote and what was there before"):
        answer(self.cluster, LABELS="app=,falco/a=b", LABEL_ANY="true")
        note = json.loads(pod_of(self.cluster).annotations["falco/labels"])

        expect(note["labels"]).to(equal({"app": [None, "web"], "falco/a": ["b", None]}))
        expect(note).to(have_keys({"at": str(NOW), "rule": an_alert().rule}))

    with it(
        "sets labels where annotations are full, and says so; no annotation that was asked for"
    ):
        full = {"annotations": {"theirs": "x" * (256 * 1024 - 6)}}
        cluster = InMemoryCluster(a_pod(metadata=full))
        outcome = answer(cluster)

        expect(outcome.message).to(contain("the ledger alone has the note"))
        expect(labels_of(cluster)).to(have_keys({"falco/alert": RULE, "falco/labeled": "true"}))
        expect(answer(cluster, ANNOTATIONS="falco/a=b").reason).to(equal("refused"))

    with it("annotates, too"):
        answer(self.cluster, LABELS="", ANNOTATIONS="falco/why={priority} by {rule} of {source}")

        expect(pod_of(self.cluster).annotations["falco/why"]).to(
            equal(f"notice by {RULE} of syscall")
        )

    with it("takes off what has an empty value"):
        outcome = answer(self.cluster, LABELS="app=", LABEL_ANY="true")

        expect(outcome.message).to(equal("labeled pod shop/web-0 with app-"))
        expect(labels_of(self.cluster)).to(equal({"falco/labeled": "true"}))

    with it("writes nothing where all is so already"):
        answer(self.cluster)
        writes = len(self.cluster.writes)

        expect(answer(self.cluster).reason).to(equal("already-labeled"))
        expect(self.cluster.writes).to(have_len(writes))

    with it("makes a value that the API takes of whatever a rule is called"):
        for rule, value in (
            ("a=b,app=victim\n", "a_b_app_victim"),
            ("é", "unnamed"),
            ("x" * 62 + " y", "x" * 62),
        ):
            cluster = cluster_of()
            answer(cluster, an_alert(rule=rule))

            expect(labels_of(cluster)["falco/alert"]).to(equal(value))

    with it("keeps what somebody else writes at the same time"):
        self.cluster.failures["patch_pod"] = [Conflict("written")]

        expect(answer(self.cluster).reason).to(equal("labeled"))

    with it("is skipped where the pod is gone meanwhile, or another has its name"):
        self.cluster.failures["patch_pod"] = [NotFound("gone")]
        self.cluster.failures["pod"] = []
        reads = []

        def replaced(name, namespace):
            reads.append(name)
            return a_pod(uid=OTHER_UID) if len(reads) > 1 else pod_of(self.cluster)

        self.cluster.pod = replaced

        expect(answer(self.cluster).reason).to(equal("not-the-same-pod"))

    with it("asks neither for a node nor for a place among the pods of a workload"):
        cluster = cluster_of(a_pod(owner="ReplicaSet/web"))

        expect(answer(cluster).reason).to(equal("labeled"))
        expect(cluster.calls).not_to(contain("workload"))

    with it("counts towards MAX_PER_OWNER where others may select by the label"):
        cluster = cluster_of(a_pod(owner="ReplicaSet/web"))
        answer(cluster, LABELS="tier=quarantine", LABEL_ANY="true")

        expect(cluster.calls).to(contain("workload"))

    with it("extends what is there for a time only"):
        answer(self.cluster, LABEL_TTL="1h")
        outcome = answer(self.cluster, LABEL_TTL="1h", now=after(NOW, 600), MAX_ALERT_AGE="off")

        expect(outcome.reason).to(equal("extended"))
        expect(outcome.details["until"]).to(equal(str(after(NOW, 4200))))

with description("Labeling a node") as self:
    with before.each:
        self.cluster = cluster_of()
        self.outcome = answer(self.cluster, LABEL_TARGET="node")

    with it("labels the node of the proven pod, and not the pod"):
        node = self.cluster.known_nodes["node-1"]

        expect(self.outcome.target).to(equal("node node-1"))
        expect(node.labels["falco/alert"]).to(equal(RULE))
        expect(labels_of(self.cluster)).to(equal({"app": "web"}))

    with it("is held to no limit of nodes: it keeps no pod away"):
        self.cluster.put(a_pod(node="node-2"))

        expect(answer(self.cluster, LABEL_TARGET="node", MAX_NODES="1").reason).to(equal("labeled"))

    with it("is undone by the node's name"):
        outcome = undo(self.cluster, "node-1", namespace="", kind="node")

        expect(outcome.message).to(equal("node node-1: falco/alert-"))
        expect(dict(self.cluster.known_nodes["node-1"].labels)).to(be_empty)

    with it("takes the rights on nodes, and those on pods are for reading"):
        rights = label.playbook.rights({"LABEL_TARGET": "node"})
        writing = {(p.resource, p.namespace) for p in rights if "patch" in p.verbs}

        expect(writing).to(equal({("nodes", ""), ("events", "default"), ("events", "")}))
        expect({p.resource for p in label.playbook.rights({})}).not_to(contain("nodes"))

with description("A labeled pod") as self:
    with before.each:
        self.cluster = cluster_of(a_pod(metadata={"labels": {"app": "web", "falco/a": "mine"}}))
        self.before = labels_of(self.cluster)
        answer(self.cluster, LABELS="falco/a=b,falco/c=d", LABEL_TTL="1h")

    with it("is as it was before when a person undoes it"):
        outcome = undo(self.cluster)

        expect((outcome.reason, outcome.message)).to(
            equal(("undone", "pod shop/web-0: falco/a=mine, falco/c-"))
        )
        expect(labels_of(self.cluster)).to(equal(self.before))
        expect(pod_of(self.cluster).annotations).to(be_empty)
        expect(undo(self.cluster).reason).to(equal("nothing-to-undo"))

    with it("is as it was before also after a second alert with other values"):
        answer(self.cluster, LABELS="falco/a=e", LABEL_TTL="1h")
        undo(self.cluster)

        expect(labels_of(self.cluster)).to(equal(self.before))

    with it("is as it was before when its time is over, and not sooner"):
        expect(ended(self.cluster, after(NOW, 3599))).to(be_empty)
        (outcome,) = ended(self.cluster, after(NOW, 3600))

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "unlabeled")))
        expect(labels_of(self.cluster)).to(equal(self.before))
        expect(self.cluster.ledger.contained()).to(be_empty)

    with it("keeps what somebody wrote since, unless it is forced"):
        pod = pod_of(self.cluster)
        self.cluster.patch_pod(pod, labels={"falco/a": "theirs"}, annotations={})

        expect(undo(self.cluster).message).to(contain("label falco/a was set to theirs"))
        (outcome,) = ended(self.cluster, after(NOW, 3600))
        expect(outcome.message).to(contain("label falco/a was set to theirs, which stays"))
        expect(labels_of(self.cluster)).to(equal({"app": "web", "falco/a": "theirs"}))

    with it("gets nothing under a key of ours back, whoever wrote the note"):
        cluster = cluster_of(
            a_pod(
                metadata={
                    "annotations": {
                        "falco/labels": '{"labels": {"falco/isolated": [null, "1"]}}',
                    }
                }
            )
        )
        undo(cluster, force=True)

        expect(labels_of(cluster)).to(equal({"app": "web"}))

with description("What was there before") as self:
    with it("is not kept where it is long, as a tenant writes it, and that is said"):
        cluster = cluster_of(a_pod(metadata={"annotations": {"falco/a": "x" * 5000}}))
        outcome = answer(cluster, LABELS="", ANNOTATIONS="falco/a=b")

        expect(outcome.message).to(contain("falco/a before is too long to be kept"))
        expect(len(pod_of(cluster).annotations["falco/labels"]) < 500).to(equal(True))

with description("The settings of the playbook that labels") as self:
    with it("take keys of falco/ only, unless LABEL_ANY says otherwise"):
        expect(lambda: settings(LABELS="tier=x")).to(
            raise_error(InvalidSetting, contain("keys that begin with falco/, or LABEL_ANY=true"))
        )
        settings(LABELS="tier=x", LABEL_ANY="true")

    with it("take no key by which playbooks know what they contain"):
        for key in ("falco/isolated", "falco/exempt", "falco/taints", "falco/containment.paused"):
            expect(lambda: settings(ANNOTATIONS=f"{key}=x", LABEL_ANY="true")).to(
                raise_error(InvalidSetting, contain(f"a key other than {key}"))
            )

    with it("leave to every playbook the keys by which it knows what it contains"):
        free = [
            f"{key} of {playbook.name}, expected one that begins with {OWN_KEYS}"
            for playbook in catalogue.containing()
            for key in keys_of(playbook.reaction.CONTAINMENT)
            if not is_reserved(key)
        ]

        expect(free).to(be_empty)
        expect([is_reserved(key) for key in ("falco/alert", "falco/containment")]).to(
            equal([False, False])
        )

    with it("say what is wrong with a value"):
        for text, words in (
            ("falco/a", "key=value"),
            ("falco/a=a b", "falco/a: at most 63 letters"),
            ("falco/a={proc.name}", "{rule}, {priority}, {source} and no other field"),
            ("falco/a=1,falco/a=2", "each key once"),
            ("-=1", "a key such as"),
        ):
            expect(lambda: settings(LABELS=text)).to(raise_error(InvalidSetting, contain(words)))

    with it("have something to write"):
        expect(lambda: settings(LABELS="")).to(
            raise_error(InvalidSetting, contain("expected something to write"))
        )

with description("The account of the playbook that labels") as self:
    with it("is held to keys, for pods and nodes"):
        pods, nodes, *_ = admission_policies.of(label.playbook)
        said = [rule["message"] for rule in nodes.manifests()[0]["spec"]["validations"]]

        expect([pods.name, nodes.name]).to(
            equal(["falco-playbook-label-pods", "falco-playbook-label-nodes"])
        )
        expect(said).to(
            contain(
                "the label playbook changes no labels but those of LABELS, and those that it noted"
            )
        )
        for of in (pods, nodes):
            rules = [rule["expression"] for rule in of.manifests()[0]["spec"]["validations"]]
            keys = [rule for rule in rules if "!(k in ['falco/" in rule]
            expect([OWN_KEYS in rule for rule in keys]).to(equal([True, True]))
        expect(pods.settings).to(contain("NAMESPACES"))
        expect(nodes.settings).not_to(contain("NAMESPACES"))
