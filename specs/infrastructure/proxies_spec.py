"""Runs without a cluster."""

from expects import be_none, equal, expect
from mamba import description, it

from playbooks.infrastructure.proxies import proxy_for

PROXY = "http://proxy:3128"


def proxy_of(host, no_proxy=""):
    return proxy_for(host, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})


with description("The proxy of HTTPS") as self:
    with it("is none where the environment names none, or one of plain HTTP only"):
        expect(proxy_for("198.19.0.1", {})).to(be_none)
        expect(proxy_for("198.19.0.1", {"HTTP_PROXY": PROXY})).to(be_none)

    with it("is that of the variable, in capitals or not"):
        expect(proxy_for("198.19.0.1", {"HTTPS_PROXY": PROXY})).to(equal(PROXY))
        expect(proxy_for("198.19.0.1", {"https_proxy": PROXY})).to(equal(PROXY))

    with it("is not for addresses that are listed, or in a network that is"):
        expect(proxy_of("198.19.0.1", "127.0.0.1, 198.19.0.1")).to(be_none)
        expect(proxy_of("198.19.0.1", "198.19.0.0/24")).to(be_none)
        expect(proxy_of("fd00::1", "fd00::/8")).to(be_none)
        expect(proxy_of("198.19.0.1", "198.18.0.0/24")).to(equal(PROXY))
        expect(proxy_of("198.19.0.10", "198.19.0.1")).to(equal(PROXY))

    with it("is not for domains that are listed, nor for what is in them"):
        expect(proxy_of("kubernetes.default.svc", "example.org,svc")).to(be_none)
        expect(proxy_of("kubernetes.default.svc", ".svc")).to(be_none)
        expect(proxy_of("Kubernetes.default.svc", "kubernetes.default.SVC")).to(be_none)
        expect(proxy_of("kubernetes.default.svc", "default")).to(equal(PROXY))
        expect(proxy_of("othersvc", "svc")).to(equal(PROXY))

    with it("is for nobody under a star"):
        expect(proxy_of("198.19.0.1", "*")).to(be_none)
