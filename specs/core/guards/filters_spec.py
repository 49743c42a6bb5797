from expects import equal, expect
from mamba import description, it

from playbooks.core.guards.filters import MinimumPriority, OnlyNamespaces, OnlyRules, ThisCluster
from playbooks.core.guards.guard import Case
from playbooks.core.subjects import Priority
from playbooks.testing import NOW, a_host_alert, an_alert


def a_case(alert, **given):
    return Case(alert, NOW, **given)


with description("A guard") as self:
    with description("of the minimum priority"):
        with it("passes the minimum itself"):
            answer = MinimumPriority(Priority.NOTICE).of_alert(a_case(an_alert(priority="Notice")))

            expect(answer.reason).to(equal(""))

        with it("refuses what is below"):
            refusal = MinimumPriority(Priority.ERROR).of_alert(a_case(an_alert(priority="Warning")))

            expect(refusal.reason).to(equal("below-minimum-priority"))
            expect(refusal.words).to(equal("priority Warning is below Error"))

    with description("of the rules"):
        with it("passes every rule where none are listed"):
            expect(OnlyRules(()).of_alert(a_case(an_alert())).reason).to(equal(""))

        with it("passes a name and a glob"):
            for globs in (("Terminal shell in container",), ("Other", "Terminal*")):
                expect(OnlyRules(globs).of_alert(a_case(an_alert())).reason).to(equal(""))

        with it("passes a name with the characters of globs, and no other"):
            name = "[CLAUDE_CODE CRITICAL] Dangerous Bash Command"
            guard = OnlyRules((name,))

            expect(guard.of_alert(a_case(an_alert(rule=name))).reason).to(equal(""))
            expect(guard.of_alert(a_case(an_alert(rule="Other"))).reason).to(
                equal("rule-not-listed")
            )

        with it("refuses the others"):
            refusal = OnlyRules(("Write*",)).of_alert(a_case(an_alert()))

            expect(refusal.reason).to(equal("rule-not-listed"))

    with description("of the namespaces"):
        with it("passes a listed one, by name or glob"):
            for globs in (("shop",), ("sh*",)):
                expect(OnlyNamespaces(globs, True).of_alert(a_case(an_alert())).reason).to(
                    equal("")
                )

        with it("refuses another one"):
            refusal = OnlyNamespaces(("billing",), True).of_alert(a_case(an_alert()))

            expect(refusal.words).to(equal("namespace shop, only NAMESPACES (billing)"))

        with it("passes an alert without one where the pod is looked up by its container"):
            expect(
                OnlyNamespaces(("shop",), True).of_alert(a_case(an_alert(namespace=None))).reason
            ).to(equal(""))

        with it("refuses an alert without one where nothing will look it up"):
            unnamed = an_alert(namespace=None)

            expect(OnlyNamespaces(("shop",), False).of_alert(a_case(unnamed)).reason).to(
                equal("namespace-not-listed")
            )
            expect(OnlyNamespaces(("shop",), True).of_alert(a_case(a_host_alert())).reason).to(
                equal("namespace-not-listed")
            )

    with description("of the cluster"):
        with it("passes an alert of this one"):
            alert = an_alert({"cluster": "eu-1"})

            expect(ThisCluster(("eu-1",), "cluster").of_alert(a_case(alert)).reason).to(equal(""))

        with it("refuses an alert of another one, and one that does not say"):
            other = ThisCluster(("eu-1",), "cluster").of_alert(
                a_case(an_alert({"cluster": "us-1"}))
            )
            silent = ThisCluster(("eu-1",), "cluster").of_alert(a_case(an_alert({})))

            expect(other.words).to(equal("cluster is 'us-1', only CLUSTER (eu-1)"))
            expect(silent.reason).to(equal("another-cluster"))

        with it("is not misled by a field that is no text"):
            for found in (["eu-1"], {"eu-1": 1}, 1, None):
                answer = ThisCluster(("eu-1",), "cluster").of_alert(
                    a_case(an_alert({"cluster": found}))
                )

                expect(answer.reason).to(equal("another-cluster"))

        with it("passes everything where no cluster is set"):
            expect(ThisCluster((), "cluster").of_alert(a_case(an_alert({}))).reason).to(equal(""))
