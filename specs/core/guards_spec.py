from expects import be_none, equal, expect
from mamba import description, it

from playbooks.core.guards import MinimumPriority, OnlyNamespaces, OnlyRules, ThisCluster
from playbooks.core.priority import Priority
from specs.support.mothers import a_host_alert, an_alert

with description("A guard") as self:
    with description("of the minimum priority"):
        with it("passes the minimum itself"):
            expect(MinimumPriority(Priority.NOTICE).refusal(an_alert(priority="Notice"))).to(
                be_none
            )

        with it("refuses what is below"):
            refusal = MinimumPriority(Priority.ERROR).refusal(an_alert(priority="Warning"))

            expect(refusal.reason).to(equal("below-minimum-priority"))
            expect(refusal.message).to(equal("priority Warning is below Error"))

    with description("of the rules"):
        with it("passes every rule where none are listed"):
            expect(OnlyRules(()).refusal(an_alert())).to(be_none)

        with it("passes a name and a glob"):
            for globs in (("Terminal shell in container",), ("Other", "Terminal*")):
                expect(OnlyRules(globs).refusal(an_alert())).to(be_none)

        with it("refuses the others"):
            refusal = OnlyRules(("Write*",)).refusal(an_alert())

            expect(refusal.reason).to(equal("rule-not-listed"))

    with description("of the namespaces"):
        with it("passes a listed one, by name or glob"):
            for globs in (("shop",), ("sh*",)):
                expect(OnlyNamespaces(globs, True).refusal(an_alert())).to(be_none)

        with it("refuses another one"):
            refusal = OnlyNamespaces(("billing",), True).refusal(an_alert())

            expect(refusal.message).to(equal("namespace shop, only NAMESPACES (billing)"))

        with it("passes an alert without one where the pod is looked up by its container"):
            expect(OnlyNamespaces(("shop",), True).refusal(an_alert(namespace=None))).to(be_none)

        with it("refuses an alert without one where nothing will look it up"):
            unnamed = an_alert(namespace=None)

            expect(OnlyNamespaces(("shop",), False).refusal(unnamed).reason).to(
                equal("namespace-not-listed")
            )
            expect(OnlyNamespaces(("shop",), True).refusal(a_host_alert()).reason).to(
                equal("namespace-not-listed")
            )

    with description("of the cluster"):
        with it("passes an alert of this one"):
            alert = an_alert({"cluster": "eu-1"})

            expect(ThisCluster(("eu-1",), "cluster").refusal(alert)).to(be_none)

        with it("refuses an alert of another one, and one that does not say"):
            other = ThisCluster(("eu-1",), "cluster").refusal(an_alert({"cluster": "us-1"}))
            silent = ThisCluster(("eu-1",), "cluster").refusal(an_alert({}))

            expect(other.message).to(equal("cluster is 'us-1', only CLUSTER (eu-1)"))
            expect(silent.reason).to(equal("another-cluster"))

        with it("passes everything where no cluster is set"):
            expect(ThisCluster((), "cluster").refusal(an_alert({}))).to(be_none)
