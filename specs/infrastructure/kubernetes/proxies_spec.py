"""The table was tried against kubectl 1.34. Runs without a cluster."""

from urllib.parse import urlsplit

from expects import be_none, equal, expect
from mamba import description, it

from playbooks.infrastructure.kubernetes.proxies import proxy_for

PROXY = "http://proxy:3128"


def proxy_of(server, no_proxy="", **environ):
    given = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy, **environ}
    return proxy_for(urlsplit(f"https://{server}"), given)


def is_excepted(server, *lists):
    for each in lists:
        expect([each, proxy_of(server, each)]).to(equal([each, None]))


def is_not_excepted(server, *lists):
    for each in lists:
        expect([each, proxy_of(server, each)]).to(equal([each, PROXY]))


with description("The proxy of HTTPS") as self:
    with it("is none where the environment names none, or one of plain HTTP only"):
        expect(proxy_for(urlsplit("https://198.19.0.1"), {})).to(be_none)
        expect(proxy_for(urlsplit("https://198.19.0.1"), {"HTTP_PROXY": PROXY})).to(be_none)
        expect(proxy_for(urlsplit("https://198.19.0.1"), {"ALL_PROXY": PROXY})).to(be_none)

    with it("is that of the variable, in capitals or not; the one in capitals wins"):
        lower = {"https_proxy": PROXY}
        expect(proxy_for(urlsplit("https://a"), lower)).to(equal(PROXY))
        expect(proxy_for(urlsplit("https://a"), {**lower, "HTTPS_PROXY": ""})).to(equal(PROXY))
        expect(proxy_of("a", https_proxy="http://other")).to(equal(PROXY))

    with it("may be named without a scheme"):
        expect(proxy_of("a", HTTPS_PROXY="127.0.0.1:3128")).to(equal("http://127.0.0.1:3128"))

    with it("is HTTP_PROXY for a server of plain HTTP"):
        given = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": "http://other"}
        expect(proxy_for(urlsplit("http://a"), given)).to(equal(PROXY))

    with it("is not for this machine"):
        for server in ("localhost:6443", "127.0.0.1:6443", "127.9.9.9", "[::1]:6443"):
            expect([server, proxy_of(server)]).to(equal([server, None]))

    with it("is not for domains that are listed, nor for what is in them"):
        server = "api.dom.example:6443"
        is_excepted(server, "dom.example", ".dom.example", "*.dom.example", "API.DOM.EXAMPLE")
        is_excepted(server, "api.dom.example:6443", "*", "a.b, dom.example ")
        is_not_excepted(server, "api.dom.example:443", "api.*", "", ",", ":6443")
        is_excepted("dom.example:6443", "dom.example")
        is_not_excepted("dom.example:6443", ".dom.example", "*.dom.example")
        is_not_excepted("xdom.example", "dom.example")
        is_not_excepted("api.dom.example.", "dom.example")
        is_excepted("Kubernetes.default.svc", "kubernetes.default.SVC", "example.org,svc", ".svc")

    with it("is not for addresses that are listed, or in a network that is"):
        server = "198.18.7.7:6443"
        is_excepted(server, "198.18.7.7", "198.18.7.7:6443", "198.18.0.0/16")
        is_not_excepted(server, "198.18.7.7:1", "198.18.", "198.18.*", "198.18.7.70", "a/8")
        is_excepted("[fd00::7]:6443", "fd00::7", "[fd00::7]:6443", "fd00::/16")
        is_not_excepted("[fd00::7]:6443", "fd00::8", "198.18.0.0/16")

    with it("counts the port of the scheme where a server has none"):
        is_excepted("a.example", "a.example:443")
