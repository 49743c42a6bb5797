from expects import be_empty, equal, expect
from mamba import description, it

from playbooks.core.errors import NotPermitted
from playbooks.deployment.apply import api_server
from specs.deployment.fake_objects import FakeObjects

SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "kubernetes", "namespace": "default"},
    "endpoints": [{"addresses": ["192.0.2.1"]}, {"addresses": ["192.0.2.2"]}],
    "ports": [{"port": 8443}],
}


def a_node(name, address, *, labels=("node-role.kubernetes.io/control-plane",), **noted):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": dict.fromkeys(labels, ""), "annotations": noted},
        "spec": {"podCIDRs": ["10.244.3.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


def addresses(*nodes, cluster=None):
    there = cluster or FakeObjects(SLICE, *nodes)
    return api_server.addresses(there, api_server.endpoints(there))


with description("The API server's addresses") as self:
    with it("are those of its endpoints"):
        expect(addresses()).to(equal(("192.0.2.1", "192.0.2.2")))

    with it("are those of its nodes in a network of pods, too"):
        calico = {"projectcalico.org/IPv4VXLANTunnelAddr": "10.244.9.7"}

        expect(addresses(a_node("first", "192.0.2.1", **calico))).to(
            equal(("192.0.2.1", "192.0.2.2", "10.244.3.0", "10.244.9.7"))
        )

    with it("are none that another node claims, nor what is no address"):
        elsewhere = a_node("worker", "192.0.2.9")
        claims = a_node("worker", "192.0.2.1", labels=())
        nonsense = {"projectcalico.org/IPv4IPIPTunnelAddr": "0.0.0.0/0"}

        expect(addresses(elsewhere, claims)).to(equal(("192.0.2.1", "192.0.2.2")))
        expect(addresses(a_node("first", "192.0.2.1", **nonsense))).to(
            equal(("192.0.2.1", "192.0.2.2", "10.244.3.0"))
        )

    with it("are those of its endpoints where nodes cannot be read, and none where those cannot"):
        blind, nothing = FakeObjects(SLICE), FakeObjects()
        nothing.api_server = None
        blind.failures["nodes"] = NotPermitted("no")

        expect(addresses(cluster=blind)).to(equal(("192.0.2.1", "192.0.2.2")))
        expect(addresses(cluster=nothing)).to(be_empty)

with description("The API server's ports") as self:
    with it("are that of its Service and those of its endpoints"):
        expect(api_server.ports([SLICE])).to(equal((443, 8443)))
        expect(api_server.ports([])).to(equal((443, 6443)))
