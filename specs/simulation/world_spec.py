"""The world of a simulation."""

from expects import be_empty, equal, expect
from mamba import before, description, it

from playbooks.core.alert import Alert
from playbooks.core.cluster import network_policy
from playbooks.simulation.world import Moment, SimulatedCluster
from specs.simulation.mothers import a_body

with description("A simulated cluster") as self:
    with before.each:
        self.moment = Moment()
        self.cluster = SimulatedCluster(self.moment)

    def comes(self, **alert):
        """The alert's pod."""
        self.moment.alert = Alert.parse(a_body(**alert))
        claim = self.moment.alert.claim
        return self.cluster.pod(claim.pod, namespace=claim.namespace)

    def isolate(self, pod):
        self.cluster.create_network_policy(network_policy.isolating(pod, ("Ingress",), ()))

    with it("has the policy that isolates the pod of the alert, also where that gives no uid"):
        for given in ({"pod": "web-0"}, {"pod": "web-1", "uid": "u-1"}):
            self.isolate(self.comes(**given))
            (found,) = self.cluster.network_policies("shop")

            expect(found["metadata"]["name"]).to(equal(f"falco-isolate-{self.comes(**given).uid}"))

    with it("has no policy of another pod, which could not select it: there may be thousands"):
        self.isolate(self.comes(pod="web-0"))
        self.comes(pod="web-1")

        expect(self.cluster.network_policies("shop")).to(be_empty)
