from expects import be_below, contain, equal, expect, start_with
from mamba import before, description, it

from playbooks.core.cluster.permissions import OWN, Permission
from playbooks.core.errors import ClusterUnavailable
from playbooks.delete import playbook
from playbooks.engines.worker.own_rights import OwnRights

PODS = Permission("pods", ("get", "delete"))


class Account:
    """``lost``: verb, resource and namespace, or a part of these."""

    def __init__(self):
        self.lost = []
        self.asked = []
        self.error = None

    def may(self, verb, resource, group, namespace):
        if self.error:
            raise self.error
        self.asked.append((verb, resource, namespace))
        return not any(set(each) <= {verb, resource, namespace} for each in self.lost)


with description("The rights that every alert needs") as self:
    with before.each:
        self.account = Account()
        self.now = 0.0
        self.slept = []

    def rights(self, *needed, limited=()):
        return OwnRights(
            self.account.may,
            needed,
            limited=limited,
            own="responders",
            clock=lambda: self.now,
            sleep=self.slept.append,
        )

    with it("are asked of the API server, each verb, where it is granted"):
        own = Permission("functions", ("get",), namespace=OWN)

        expect(self.rights(PODS, own).missing()).to(equal(""))
        expect(self.account.asked).to(
            equal([("get", "pods", ""), ("delete", "pods", ""), ("get", "functions", "responders")])
        )

    with it("are missing where one of them is gone, and what is to be done is said"):
        self.account.lost.append(("delete", "pods"))

        expect(self.rights(PODS).missing()).to(start_with("the account may not delete pods: its"))

    with it("are not missing because one namespace took its own away: it decides on itself alone"):
        self.account.lost.append(("pods", "evil"))

        expect(self.rights(PODS, limited=("evil", "shop")).missing()).to(equal(""))

    with it("are missing where every namespace took them away"):
        self.account.lost += [("pods", "evil"), ("pods", "shop")]

        expect(self.rights(PODS, limited=("evil", "shop")).missing()).to(contain("in evil or shop"))

    with it("are asked for anew each time, at most once a second"):
        rights = self.rights(PODS)
        rights.missing()
        self.account.lost.append(("get", "pods"))
        self.now = 0.25

        expect(rights.missing()).to(start_with("the account may not get pods"))
        expect(self.slept).to(equal([0, 0.75]))

    with it("are not missing where the API server does not tell"):
        self.account.error = ClusterUnavailable("away")

        expect(self.rights(PODS).missing()).to(equal(""))

    with it("of a playbook are those that it declares, and not that of writing Events"):
        self.account.lost.append(("events",))
        environ = {"NAMESPACES": "shop"}
        rights = OwnRights.of(playbook, environ, self.account.may, "responders")

        expect(rights.missing()).to(equal(""))
        expect(set(self.account.asked)).to(contain(("delete", "pods", "shop")))
        expect(len(self.account.asked)).to(be_below(25))

    with it("of a playbook with globs are those in the whole cluster"):
        OwnRights.of(playbook, {"NAMESPACES": "shop-*"}, self.account.may, "responders").missing()

        expect(self.account.asked).to(contain(("delete", "pods", "")))
