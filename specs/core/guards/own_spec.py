from functools import partial

from expects import be_empty, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.guard import Case
from playbooks.core.guards.own import OwnAccount, OwnNode, OwnPods
from playbooks.testing import (
    NOW,
    OWNER_UID,
    FakeOwnPod,
    InMemoryCluster,
    a_node,
    a_pod,
    a_replica_controller,
    an_action,
    an_alert,
)

ACCOUNT = "system:serviceaccount:playbooks:falco-taint"


def caused_by(user, source="k8s_audit"):
    alert = an_alert({"ka.user.name": user}, source=source)
    return OwnAccount(FakeOwnPod()).of_alert(Case(alert, NOW)).reason


LABELS = {"created-by": "kubeless", "function": "falco-delete"}


def a_function(name="falco-delete", **metadata):
    identity = {"name": name, "namespace": "playbooks", "uid": "function-uid", **metadata}
    return {"kind": "Function", "metadata": identity}


def a_chain(deployment="falco-delete", function="falco-delete", uid="function-uid"):
    """The ReplicaSet and the Deployment of a function."""
    api = "kubeless.io/v1beta1"
    owner = {"apiVersion": api, "kind": "Function", "name": function, "uid": uid}
    made = partial(a_replica_controller, namespace="playbooks", labels=LABELS)
    return (
        made("falco-delete-6d5f", owner=f"Deployment/{deployment}"),
        made(deployment, kind="Deployment", ownerReferences=[owner]),
    )


def a_pod_of_ours(labels=LABELS, uid=OWNER_UID, owner="ReplicaSet"):
    reference = {"kind": owner, "name": "falco-delete-6d5f", "controller": True, "uid": uid}
    metadata = {"labels": labels, "ownerReferences": [reference]}
    return a_pod(namespace="playbooks", metadata=metadata)


def acted_on(pod, *there):
    guard = OwnPods(FakeOwnPod(), InMemoryCluster(*there))
    return guard.of_action(Case(an_alert(), NOW), an_action(pod)).reason


def told_of(pod, namespace="playbooks", own_pod=None, *, cluster=None):
    case = Case(an_alert(pod=pod, namespace=namespace), NOW)
    return OwnPods(own_pod or FakeOwnPod(), cluster).of_alert(case).reason


def tainting(name, effect="NoExecute", **own_pod):
    guard = OwnNode(FakeOwnPod(**own_pod), effect == "NoExecute")
    return guard.of_action(Case(an_alert(), NOW), an_action(None, a_node(name)))


with description("The guard against a playbook's own account") as self:
    with it("refuses what any playbook's account caused"):
        expect(caused_by(ACCOUNT)).to(equal("own-account"))

    with it("passes what others caused, whatever they are called"):
        for user in (
            "system:serviceaccount:shop:falco-taint",
            "system:serviceaccount:playbooks:default",
            "system:serviceaccount:playbooks:falco-",
            f"{ACCOUNT}\n",
            f"x{ACCOUNT}",
            "falco-taint",
            ["falco-taint"],
            None,
        ):
            expect(caused_by(user)).to(equal(""))

    with it("takes a caller's name from the audit log alone"):
        expect(caused_by(ACCOUNT, source="syscall")).to(equal(""))


with description("The guard of a playbook's own pods") as self:
    with it("refuses one that a ReplicaSet of a Function of ours made"):
        expect(acted_on(a_pod_of_ours(), *a_chain(), a_function())).to(equal("own-pod"))

    with it("passes one that names itself, its labels or its account as ours"):
        named = a_pod("falco-delete-6d5f-xyz", namespace="playbooks", metadata={"labels": LABELS})
        account = a_pod(namespace="playbooks", spec={"serviceAccountName": "falco-delete"})
        for pod in (named, account):
            expect(acted_on(pod, *a_chain(), a_function())).to(equal(""))

    with it("passes one that names an owner which is not there, or did not make it"):
        for pod in (
            a_pod_of_ours(uid="another"),
            a_pod_of_ours(uid=""),
            a_pod_of_ours(labels={"app": "shell"}),
            a_pod_of_ours(owner="StatefulSet"),
        ):
            expect(acted_on(pod, *a_chain(), a_function())).to(equal(""))
        expect(acted_on(a_pod_of_ours(), a_chain()[1], a_function())).to(equal(""))
        expect(acted_on(a_pod_of_ours(), a_chain()[0], a_function())).to(equal(""))

    with it("passes one of a Deployment that names a Function which is not its own"):
        for chain in (a_chain(uid="gone"), a_chain(uid=""), a_chain(deployment="evil")):
            expect(acted_on(a_pod_of_ours(), *chain, a_function())).to(equal(""))
        theirs = a_chain(deployment="web", function="web")
        expect(acted_on(a_pod_of_ours(), *theirs, a_function("web"))).to(equal(""))
        expect(acted_on(a_pod_of_ours(), *a_chain())).to(equal(""))

    with it("passes one of a Job, whichever CronJob that names: nothing vouches for either"):
        name = "falco-delete-sweep-29456400"
        reference = {"kind": "Job", "name": name, "controller": True, "uid": OWNER_UID}
        pod = a_pod(namespace="playbooks", metadata={"ownerReferences": [reference]})
        job = a_replica_controller(
            name,
            kind="Job",
            labels={"app": "web"},
            owner="CronJob/falco-delete-sweep",
            namespace="playbooks",
        )

        expect(acted_on(pod, job, *a_chain(), a_function())).to(equal(""))

    with it("looks up no pod whose owner is called otherwise than ours are"):
        for kind, name in (("Job", "falco-delete-6d5f"), ("ReplicaSet", "web-6d5f")):
            reference = {"kind": kind, "name": name, "controller": True, "uid": OWNER_UID}
            pod = a_pod(namespace="playbooks", metadata={"ownerReferences": [reference]})
            cluster = InMemoryCluster()
            guard = OwnPods(FakeOwnPod(), cluster)

            expect(guard.of_action(Case(an_alert(), NOW), an_action(pod)).reason).to(equal(""))
            expect(cluster.calls).to(be_empty)

    with it("looks up no pod elsewhere"):
        cluster = InMemoryCluster()
        guard = OwnPods(FakeOwnPod(), cluster)
        pod = a_pod(owner="ReplicaSet/falco-delete-6d5f")

        expect(guard.of_action(Case(an_alert(), NOW), an_action(pod)).reason).to(equal(""))
        expect(cluster.calls).to(be_empty)

    with it("has no word where no pod is acted upon"):
        answer = OwnPods(FakeOwnPod(), InMemoryCluster()).of_action(
            Case(an_alert(), NOW), an_action(None, a_node())
        )

        expect(answer.words).to(equal(""))

    with it("knows its siblings by name where nothing is looked up"):
        expect(told_of("falco-delete-6d5f-other")).to(equal("own-pod"))
        expect(told_of("falco-delete-6d5f-other", namespace="shop")).to(equal(""))
        expect(told_of("falco-delete-7e6a-other")).to(equal(""))
        expect(told_of("falco-delete-6d5f-other", cluster=InMemoryCluster())).to(equal(""))

    with it("has no siblings outside of a cluster"):
        expect(told_of("web", own_pod=FakeOwnPod(pod=""))).to(equal(""))


with description("The guard of a playbook's own node") as self:
    with it("refuses to taint it with NoExecute"):
        expect(tainting("node-9").reason).to(equal("own-node"))

    with it("passes other nodes, and other effects"):
        expect(tainting("node-1").reason).to(equal(""))
        for effect in ("NoSchedule", "PreferNoSchedule"):
            expect(tainting("node-9", effect).reason).to(equal(""))

    with it("passes all outside of a cluster"):
        expect(tainting("node-9", in_cluster=False).reason).to(equal(""))

    with it("cannot be asked where nothing tells the node"):
        expect(lambda: tainting("node-1", node="")).to(raise_error(InvalidSetting))

    with it("has no word where no node is tainted"):
        answer = OwnNode(FakeOwnPod(), True).of_action(
            Case(an_alert(), NOW), an_action(a_pod(node="node-9"))
        )

        expect(answer.words).to(equal(""))
