import json

from expects import be_empty, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks import scale
from playbooks.core.alert import Arrival
from playbooks.core.containment.expiry import expiry
from playbooks.core.containment.scaling import Scaling
from playbooks.core.containment.undo import Undo
from playbooks.core.errors import Conflict, NotPermitted
from playbooks.core.instant import after
from playbooks.core.outcome import Status
from playbooks.deployment.manifests import admission_policies
from playbooks.testing import (
    NOW,
    OWNER_UID,
    FixedClock,
    InMemoryCluster,
    a_pod,
    a_replica_controller,
    an_alert,
    some_collaborators,
)

APP = {"app": "web"}
DEPLOYMENT_UID = "uid-of-deployment"


def a_workload(kind="Deployment", name="web", *, replicas=1, uid=DEPLOYMENT_UID, **metadata):
    metadata = {"name": name, "namespace": "shop", "uid": uid, **metadata}
    spec = {"replicas": replicas, "selector": {"matchLabels": APP}}
    return {"kind": kind, "metadata": metadata, "spec": spec}


def of_kind(kind, name, uid):
    return [{"kind": kind, "name": name, "uid": uid, "controller": True, "apiVersion": "apps/v1"}]


def a_cluster(*others, replicas=1, deployment=None, pod=None):
    """A pod of a ReplicaSet of a Deployment."""
    controller = a_replica_controller(
        "web-1", labels=APP, replicas=replicas, owner="Deployment/web"
    )
    controller["metadata"]["ownerReferences"] = of_kind("Deployment", "web", DEPLOYMENT_UID)
    return InMemoryCluster(
        pod or a_pod(metadata={"ownerReferences": of_kind("ReplicaSet", "web-1", OWNER_UID)}),
        controller,
        deployment or a_workload(replicas=replicas),
        *others,
    )


def answer(cluster, *, now=NOW, released_by="", **given):
    collaborators = some_collaborators(cluster, clock=FixedClock(now))
    given = {"MAX_ALERT_AGE": "off", **given}
    return scale.playbook.responder(given, collaborators).answer(
        an_alert(), Arrival(released_by=released_by)
    )


def replicas_of(cluster, kind="Deployment"):
    (found,) = cluster.objects(kind)
    return found["spec"]["replicas"]


def scaled_to(cluster, number):
    (found,) = cluster.objects("Deployment")
    metadata = {k: v for k, v in found["metadata"].items() if k != "resourceVersion"}
    spec = {**found["spec"], "replicas": number}
    cluster.put({**found, "metadata": metadata, "spec": spec})


def undo(cluster, *, force=False):
    asked = Undo(Scaling, cluster, [cluster.ledger], lambda *_: None, force=force)
    return asked.undo("web", namespace="shop", kind="deployment")


with description("Scaling a workload") as self:
    with before.each:
        self.cluster = a_cluster()

    with it("scales the Deployment of the proven pod to 0, and not its ReplicaSet"):
        outcome = answer(self.cluster)

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "scaled")))
        expect(outcome.message).to(equal("scaled deployment shop/web from 1 to 0"))
        expect(outcome.details["undo"]).to(equal("falco-playbook undo deployment/web -n shop -A"))
        expect(outcome.target_ref.kind).to(equal("Deployment"))
        expect(replicas_of(self.cluster)).to(equal(0))
        expect(replicas_of(self.cluster, "ReplicaSet")).to(equal(1))

    with it("keeps the number of before in the ledger"):
        cluster = a_cluster(replicas=2)
        answer(cluster, MAX_PER_OWNER="off")
        known = cluster.ledger.contained()[DEPLOYMENT_UID]

        expect((known.kind, known.name)).to(equal(("deployment", "web")))
        expect(json.loads(known.notes["falco/scaled"])["before"]).to(equal(2))

    with it("scales to SCALE_TO"):
        cluster = a_cluster(replicas=4)

        expect(answer(cluster, SCALE_TO="2").message).to(contain("from 4 to 2"))
        expect(answer(cluster, SCALE_TO="3").reason).to(equal("already-scaled"))

    with it("is done already, where the workload wants no more"):
        answer(self.cluster)

        expect(answer(self.cluster).reason).to(equal("already-scaled"))

    with it("scales a StatefulSet, too"):
        owned = a_pod(metadata={"ownerReferences": of_kind("StatefulSet", "db", "s")})
        cluster = a_cluster(a_workload("StatefulSet", "db", uid="s"), pod=owned)

        expect(answer(cluster).message).to(equal("scaled statefulset shop/db from 1 to 0"))

    with it("scales nothing that only the pod says it belongs to"):
        named = a_pod(metadata={"ownerReferences": of_kind("Deployment", "web", "another")})
        strange = a_pod(
            metadata={
                "ownerReferences": of_kind("ReplicaSet", "web-1", OWNER_UID),
                "labels": {"app": "other"},
            }
        )
        for pod in (named, strange, a_pod()):
            cluster = a_cluster(pod=pod)

            expect(answer(cluster).reason).to(equal("no-workload"))
            expect(cluster.writes).to(be_empty)

    with it("stops where the chain is no longer proven"):
        deployment = a_workload(uid="another")
        cluster = a_cluster(deployment=deployment)

        expect(answer(cluster).message).to(
            equal(
                "scaled replicaset shop/web-1 from 1 to 0; Deployment web, which it names as its"
                " controller, may set it back"
            )
        )

    with it("leaves what has no scale"):
        owned = a_pod(metadata={"ownerReferences": of_kind("DaemonSet", "agent", "d")})
        cluster = a_cluster(a_workload("DaemonSet", "agent", uid="d"), pod=owned)

        expect(answer(cluster).reason).to(equal("not-scalable"))

    with it("names who may set the number back"):
        autoscaler = {
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web-hpa", "namespace": "shop"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        }
        labels = {"argocd.argoproj.io/instance": "shop"}
        cluster = a_cluster(autoscaler, deployment=a_workload(labels=labels))

        expect(answer(cluster).message).to(
            equal(
                "scaled deployment shop/web from 1 to 0; HorizontalPodAutoscaler web-hpa sets"
                " nothing while it is 0; Argo CD (argocd.argoproj.io/instance=shop) may set it back"
            )
        )

    with it("acts where it may not list autoscalers, and says so"):
        self.cluster.failures["autoscalers"] = [NotPermitted("no")]

        expect(answer(self.cluster).message).to(
            contain("whether a HorizontalPodAutoscaler sets it is not known")
        )

    with it("reads the workload again where somebody wrote it meanwhile"):
        self.cluster.failures["scale"] = [Conflict("written")]

        expect(answer(self.cluster).reason).to(equal("scaled"))

    with it("counts against MAX_PER_OWNER as all pods that go, until a person lets it go on"):
        cluster = a_cluster(replicas=3)
        outcome = answer(cluster)

        expect((outcome.reason, outcome.held, outcome.waits)).to(equal(("owner-limit", True, None)))
        expect(outcome.message).to(contain("3 of the pods of Deployment web (replicas 3) would go"))
        expect(replicas_of(cluster)).to(equal(3))
        expect(answer(cluster, SCALE_TO="2").reason).to(equal("scaled"))
        expect(answer(a_cluster(replicas=3), released_by="ann").reason).to(equal("scaled"))
        expect(answer(a_cluster(replicas=3), MAX_PER_OWNER="100%").reason).to(equal("scaled"))

with description("A scaled workload") as self:
    with before.each:
        self.cluster = a_cluster(replicas=3)
        answer(self.cluster, SCALE_TTL="1h", MAX_PER_OWNER="off")

    def ended(self, now):
        collaborators = some_collaborators(self.cluster, clock=FixedClock(now))
        return expiry(scale.playbook, {"SCALE_TTL": "1h"}, collaborators).once()

    with it("is scaled back when a person undoes it, and left alone then"):
        outcome = undo(self.cluster)

        expect((outcome.reason, outcome.message)).to(
            equal(("undone", "deployment shop/web: scaled back to 3"))
        )
        expect(replicas_of(self.cluster)).to(equal(3))
        expect(self.cluster.ledger.contained()).to(be_empty)

    with it("is scaled back when its time is over, and not before"):
        expect(self.ended(after(NOW, 3599))).to(be_empty)
        (outcome,) = self.ended(after(NOW, 3600))

        expect((outcome.reason, outcome.message)).to(
            equal(("scaled-back", "deployment shop/web: scaled back to 3, its time is over"))
        )
        expect(replicas_of(self.cluster)).to(equal(3))

    with it("stays so for longer for another alert"):
        writes = len(self.cluster.writes)
        outcome = answer(self.cluster, now=after(NOW, 600), SCALE_TTL="1h")

        expect(outcome.reason).to(equal("extended"))
        expect(outcome.details["until"]).to(equal(str(after(NOW, 4200))))
        expect(self.cluster.writes).to(have_len(writes))

    with it("is left as somebody else scaled it since, unless it is forced"):
        scaled_to(self.cluster, 5)

        expect(undo(self.cluster).message).to(contain("it was scaled to 5"))
        expect(self.ended(after(NOW, 3600))[0].reason).to(equal("changed-since"))
        expect(replicas_of(self.cluster)).to(equal(5))
        undo(self.cluster, force=True)
        expect(replicas_of(self.cluster)).to(equal(3))

    with it("gets back what it had before the first of two settings"):
        cluster = a_cluster(replicas=3)
        answer(cluster, SCALE_TO="2", MAX_PER_OWNER="off")
        answer(cluster, SCALE_TO="0", MAX_PER_OWNER="off")
        undo(cluster)

        expect(replicas_of(cluster)).to(equal(3))

with description("The account of the playbook that scales") as self:
    with it("patches nothing but the number of pods"):
        writing = {p.resource for p in scale.playbook.rights({}) if "patch" in p.verbs}

        expect(writing).to(
            equal({"deployments/scale", "statefulsets/scale", "replicasets/scale", "events"})
        )

    with it("is held to SCALE_TO, and to the namespaces of the guards"):
        policy, *_ = admission_policies.of(scale.playbook)
        said = [rule["message"] for rule in policy.manifests()[0]["spec"]["validations"]]

        expect(policy.name).to(equal("falco-playbook-scale-deployments-scale"))
        expect(said).to(
            contain(
                "the scale playbook scales to SCALE_TO, and with SCALE_TTL back",
                "the scale playbook changes nothing in a namespace of PROTECTED_NAMESPACES",
            )
        )
