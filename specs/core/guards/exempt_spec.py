from expects import be_empty, contain, equal, expect, raise_error
from mamba import before, description, it

from playbooks.core.errors import NotFound
from playbooks.core.guards.exempt import Exemptions
from playbooks.core.guards.guard import Case
from playbooks.core.instant import after
from playbooks.testing import (
    NOW,
    InMemoryCluster,
    a_namespace,
    a_node,
    a_pod,
    a_ready_node,
    an_action,
    an_alert,
)

HOUR = str(after(NOW, 3600))


def given(exempt="delete", until=HOUR, **more):
    return {"falco/exempt": exempt, "falco/exempt-until": until, **more}


with description("The guard of exemptions") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_pod())

    def asked(self, annotations=None, pod=None, *, pods=False, playbook="delete", alert=None):
        self.cluster.put(a_namespace("shop", annotations))
        guard = Exemptions(playbook, self.cluster, pods)
        return guard.of_action(Case(alert or an_alert(), NOW), an_action(pod or a_pod()))

    with it("passes what nothing exempts"):
        expect(self.asked().words).to(equal("nothing exempts it"))

    with it("refuses in a namespace that is exempted from the playbook, or from all"):
        for exempt in ("delete", "isolate, delete", "*"):
            expect(self.asked(given(exempt)).reason).to(equal("exempt"))

    with it("gives the reason and the end"):
        answer = self.asked(given(**{"falco/exempt-reason": "load test"}))

        expect(answer.words).to(contain("namespace shop", HOUR, "load test"))

    with it("passes where other playbooks are meant, or none"):
        for exempt in ("isolate", "", "deletes", "del*"):
            expect(self.asked(given(exempt)).reason).to(equal(""))

    with it("does not count without a time, after it, or more than seven days before it"):
        week = 7 * 86400
        for until in ("", "tomorrow", str(NOW), str(after(NOW, week + 1))):
            answer = self.asked(given(until=until))

            expect(answer.reason).to(equal(""))
            expect(answer.words).to(contain("namespace shop"))
        expect(self.asked(given(until=str(after(NOW, week)))).reason).to(equal("exempt"))

    with it("reads the annotations of a pod only where told to"):
        pod = a_pod(metadata={"annotations": given()})

        expect(self.asked(pod=pod).reason).to(equal(""))
        expect(self.asked(pod=pod, pods=True).reason).to(equal("exempt"))

    with it("never believes the alert, nor a node: whoever took it over can write it"):
        alert = an_alert({"falco/exempt": "*", "falco/exempt-until": HOUR})
        node = a_ready_node("a", annotations=given("*"))
        case = Case(an_alert(), NOW)
        of_node = Exemptions("taint", self.cluster, True).of_action(case, an_action(a_pod(), node))

        expect(self.asked(alert=alert).reason).to(equal(""))
        expect(of_node.reason).to(equal(""))

    with it("asks nothing where there is no pod"):
        guard = Exemptions("taint", self.cluster, True)
        guard.of_action(Case(an_alert(), NOW), an_action(None, a_node()))

        expect(self.cluster.calls).to(be_empty)

    with it("cannot be asked where the namespace cannot be read"):
        self.cluster.failures["namespace_annotations"] = [NotFound("no namespace")]

        expect(lambda: self.asked()).to(raise_error(NotFound))
