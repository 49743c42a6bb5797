"""The service account of a pod. Runs without a cluster: the account is a directory."""

import tempfile
from pathlib import Path

import urllib3
from expects import be_a, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import NoCluster
from playbooks.infrastructure.kubernetes import connect
from playbooks.infrastructure.kubernetes.credentials import FRESH, TokenFile
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.server import LoopbackServer
from specs.support.sources import imported

IMPORTED = imported()

POD = {"KUBERNETES_SERVICE_HOST": "198.19.0.1", "KUBERNETES_SERVICE_PORT": "443"}


with description("In a pod, the way to the API server") as self:
    with before.all:
        self.authority = an_authority()

    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.account = Path(self.directory.name)
        (self.account / "token").write_text("first\n")
        (self.account / "ca.crt").write_bytes(self.authority.pem)
        (self.account / "namespace").write_text("security")
        self.now = 0.0

    with after.each:
        self.directory.cleanup()

    def connection(self, **environ):
        return connect.of_pod({**POD, **environ}, self.account).connect()

    with it("is that of its service account"):
        found = self.connection()

        expect(found.server).to(equal("https://198.19.0.1:443"))
        expect(dict(found.headers())).to(equal({"Authorization": "Bearer first"}))

    with it("is shown with the namespace of its pod"):
        target = connect.of_pod(POD, self.account)

        expect(str(target)).to(
            equal(
                "the cluster of this pod's service account"
                " (server https://198.19.0.1:443, namespace security)"
            )
        )
        moved = connect.of_pod({**POD, "POD_NAMESPACE": "shop"}, self.account)
        expect(moved.namespace).to(equal("shop"))

    with it("trusts its service account's authorities, and no others"):
        known = LoopbackServer(a_certificate(self.authority, "127.0.0.1"))
        other = LoopbackServer(a_certificate(an_authority(), "127.0.0.1"))
        asked = []
        for server in (known, other):
            here = {
                "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                "KUBERNETES_SERVICE_PORT": str(server.port),
            }
            try:
                found = self.connection(**here)
                asked.append(found.pool.request("GET", found.server, retries=False).status)
            except urllib3.exceptions.SSLError:
                asked.append("not trusted")
            server.stop()

        expect(asked).to(equal([200, "not trusted"]))

    with it("has brackets around an address of IPv6"):
        found = self.connection(KUBERNETES_SERVICE_HOST="fd00::1")

        expect(found.server).to(equal("https://[fd00::1]:443"))

    with it("leads through the proxy of the environment, with its credentials"):
        pool = self.connection(HTTPS_PROXY="http://me:secret@proxy:3128").pool

        expect(pool).to(be_a(urllib3.ProxyManager))
        expect(pool.proxy.host).to(equal("proxy"))
        expect(pool.proxy_headers).to(equal({"Proxy-Authorization": "Basic bWU6c2VjcmV0"}))

    with it("leads past a proxy that is not for the API server"):
        pool = self.connection(HTTPS_PROXY="http://proxy:3128", NO_PROXY="198.19.0.0/24").pool

        expect(pool).not_to(be_a(urllib3.ProxyManager))

    with it("has a token that is read anew once a minute"):
        token = TokenFile(self.account / "token", clock=lambda: self.now)
        (self.account / "token").write_text("second")
        expect(token.header()).to(equal("Bearer first"))

        self.now = FRESH
        expect(token.header()).to(equal("Bearer second"))

    with it("keeps the token that it has while the new one cannot be read"):
        token = TokenFile(self.account / "token", clock=lambda: self.now)
        self.now = FRESH

        (self.account / "token").write_text("")
        expect(token.header()).to(equal("Bearer first"))
        (self.account / "token").unlink()
        self.now = 2 * FRESH
        expect(token.header()).to(equal("Bearer first"))
        (self.account / "token").write_text("second")
        self.now = 3 * FRESH
        expect(token.header()).to(equal("Bearer second"))

    with it("is not there without a token, authorities, or the variables of a pod"):

        def refuses():
            expect(self.connection).to(raise_error(NoCluster))

        expect(lambda: connect.of_pod({}, self.account)).to(raise_error(NoCluster))
        (self.account / "token").write_text("")
        refuses()
        (self.account / "token").unlink()
        refuses()
        (self.account / "token").write_text("first")
        (self.account / "ca.crt").write_text("")
        refuses()

    with it("imports neither the kubernetes package nor what reads a kubeconfig"):
        expect({"kubernetes", "yaml"} & IMPORTED.result()).to(equal(set()))
