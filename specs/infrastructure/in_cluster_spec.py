"""The service account of a pod. Runs without a cluster: the account is a directory."""

import subprocess
import sys
import tempfile
from pathlib import Path

import urllib3
from expects import be_a, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.infrastructure.kubernetes import connect
from playbooks.infrastructure.kubernetes.connect import FRESH, Token

POD = {"KUBERNETES_SERVICE_HOST": "198.19.0.1", "KUBERNETES_SERVICE_PORT": "443"}


with description("In a pod, the way to the API server") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.account = Path(self.directory.name)
        (self.account / "token").write_text("first\n")
        (self.account / "ca.crt").write_text("a certificate")
        self.now = 0.0

    with after.each:
        self.directory.cleanup()

    def connection(self, **environ):
        return connect.connect({**POD, **environ}, self.account)

    with it("is that of its service account"):
        found = self.connection()

        expect(found.server).to(equal("https://198.19.0.1:443"))
        expect(found.authorization()).to(equal("Bearer first"))

    with it("trusts its service account's authorities, and no others"):
        options = self.connection().pool.connection_pool_kw

        expect(options["ca_certs"]).to(equal(str(self.account / "ca.crt")))
        expect(options["cert_reqs"]).to(equal("CERT_REQUIRED"))

    with it("has brackets around an address of IPv6"):
        found = self.connection(KUBERNETES_SERVICE_HOST="fd00::1")

        expect(found.server).to(equal("https://[fd00::1]:443"))

    with it("leads through the proxy of the environment, with its credentials"):
        pool = self.connection(HTTPS_PROXY="http://me:secret@proxy:3128").pool

        expect(pool).to(be_a(urllib3.ProxyManager))
        expect(pool.proxy.host).to(equal("proxy"))
        expect(pool.proxy_headers).to(equal({"proxy-authorization": "Basic bWU6c2VjcmV0"}))

    with it("leads past a proxy that is not for the API server"):
        pool = self.connection(HTTPS_PROXY="http://proxy:3128", NO_PROXY="198.19.0.0/24").pool

        expect(pool).not_to(be_a(urllib3.ProxyManager))

    with it("has a token that is read anew once a minute"):
        token = Token(self.account / "token", clock=lambda: self.now)
        (self.account / "token").write_text("second")
        expect(token.header()).to(equal("Bearer first"))

        self.now = FRESH
        expect(token.header()).to(equal("Bearer second"))

    with it("keeps the token that it has while the new one cannot be read"):
        token = Token(self.account / "token", clock=lambda: self.now)
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
        expect(lambda: connect.connect({}, self.account)).to(raise_error(ValueError))
        (self.account / "token").write_text("")
        expect(self.connection).to(raise_error(ValueError))
        (self.account / "token").unlink()
        expect(self.connection).to(raise_error(FileNotFoundError))
        (self.account / "token").write_text("first")
        (self.account / "ca.crt").write_text("")
        expect(self.connection).to(raise_error(ValueError))

    with it("does not take the memory and the time that importing the kubernetes package takes"):
        code = (
            "import sys, playbooks.delete, playbooks.isolate, playbooks.taint;"
            "import playbooks.engines.worker.__main__;"
            "print('kubernetes' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

        expect((done.stdout, done.stderr)).to(equal(("False\n", "")))
