from expects import equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.guard import Case
from playbooks.core.guards.own import OwnAccount, OwnNode, OwnPods
from specs.support.fakes import FakeOwnPod
from specs.support.mothers import NOW, a_node, a_pod, an_action, an_alert

ACCOUNT = "system:serviceaccount:playbooks:falco-taint"


def caused_by(user, source="k8s_audit"):
    alert = an_alert({"ka.user.name": user}, source=source)
    return OwnAccount(FakeOwnPod()).of_alert(Case(alert, NOW)).reason


def acted_on(account="default", **pod):
    action = an_action(a_pod(spec={"serviceAccountName": account}, **pod))
    return OwnPods(FakeOwnPod(), True).of_action(Case(an_alert(), NOW), action).reason


def told_of(pod, namespace="playbooks", own_pod=None, *, looked_up=False):
    case = Case(an_alert(pod=pod, namespace=namespace), NOW)
    return OwnPods(own_pod or FakeOwnPod(), looked_up).of_alert(case).reason


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
    with it("refuses a pod that runs as a playbook, where the playbooks are"):
        expect(acted_on("falco-isolate", namespace="playbooks")).to(equal("own-pod"))

    with it("passes one that names itself as ours"):
        expect(acted_on(name="falco-delete-6d5f-xyz", namespace="playbooks")).to(equal(""))
        labels = {"labels": {"function": "falco-delete", "created-by": "kubeless"}}
        expect(acted_on(namespace="playbooks", metadata=labels)).to(equal(""))

    with it("passes one that runs as an account of that name elsewhere"):
        expect(acted_on("falco-delete", namespace="shop")).to(equal(""))

    with it("has no word where no pod is acted upon"):
        answer = OwnPods(FakeOwnPod(), True).of_action(
            Case(an_alert(), NOW), an_action(None, a_node())
        )

        expect(answer.words).to(equal(""))

    with it("knows its siblings by name where nothing is looked up"):
        expect(told_of("falco-delete-6d5f-other")).to(equal("own-pod"))
        expect(told_of("falco-delete-6d5f-other", namespace="shop")).to(equal(""))
        expect(told_of("falco-delete-7e6a-other")).to(equal(""))
        expect(told_of("falco-delete-6d5f-other", looked_up=True)).to(equal(""))

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
