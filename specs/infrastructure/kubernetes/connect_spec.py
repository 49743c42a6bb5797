"""The way to the cluster of the kubeconfig, as kubectl 1.34 goes it. Runs without a cluster: a
small HTTPS server on loopback is asked."""

import base64
import ssl
from unittest.mock import patch

from expects import (
    be_a,
    be_empty,
    be_false,
    be_none,
    contain,
    equal,
    expect,
    have_key,
    have_len,
    start_with,
)
from mamba import after, before, description, it

from playbooks.core import tls
from playbooks.core.errors import ClusterUnavailable, NoCluster
from playbooks.infrastructure.kubernetes.connect import if_any
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.kubeconfigs import Kubeconfigs
from specs.support.loopback.server import Answer, LoopbackServer, Proxy

ANSWER = {"kind": "Answer"}

POD = {"KUBERNETES_SERVICE_HOST": "198.19.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def base64_of(data):
    return base64.b64encode(data).decode()


with description("The cluster of a kubeconfig") as self:
    with before.all:
        self.authority = an_authority()
        self.server = LoopbackServer(
            a_certificate(self.authority, "127.0.0.1", "localhost", "api.example"),
            clients=self.authority,
        )

    with after.all:
        self.server.stop()

    with before.each:
        self.server.asked.clear()
        self.server.answer = lambda asked: Answer()
        self.kube = Kubeconfigs(self.server, self.authority)

    with after.each:
        self.kube.clean()

    def refusal(self, **config):
        """What is said where nothing must be asked."""
        self.kube.config(**config)
        return self.kube.refusal()

    def authorization(self):
        return self.server.asked[-1].headers.get("authorization")

    with it("is asked with its token"):
        self.kube.config(user={"token": "secret"})

        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.authorization()).to(equal("Bearer secret"))

    with it("is the same in what is shown and in what is asked, with several files"):
        elsewhere = self.kube.cluster(server="https://198.18.7.7:6443")
        first = self.kube.config("prod", context="prod")
        second = self.kube.config("staging", context="staging", cluster=elsewhere)
        self.kube.environ["KUBECONFIG"] = f"{first}:{second}"
        target = self.kube.target()

        expect(str(target)).to(contain("context prod", self.server.url, f"{first}:{second}"))
        expect(target.connect().server).to(equal(target.server))
        expect(self.kube.call()).to(equal(ANSWER))

    with it("stays the one that was found, whatever becomes of the files"):
        self.kube.config()
        api = self.kube.api()
        self.kube.config(cluster=self.kube.cluster(server="https://198.18.7.7:6443"))
        self.server.answer = lambda asked: Answer(401)
        for _ in range(2):
            try:
                api.get("version")
            except Exception as error:
                expect(str(error)).to(contain("401"))

        expect(self.server.asked).to(have_len(2))

    with it("has the user, the certificates and the files of its context"):
        self.kube.file("sub/token", " from-a-file\n")
        self.kube.file("sub/ca.pem", self.authority.pem.decode())
        cluster = {"server": self.server.url, "certificate-authority": "ca.pem"}
        self.kube.config("sub/config", cluster=cluster, user={"tokenFile": "token"})

        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.authorization()).to(equal("Bearer from-a-file"))

    with it("takes a token file before a token, and a token before an exec plugin"):
        self.kube.file("token", "from-a-file")
        self.kube.config(user={"token": "t", "tokenFile": "token"})
        self.kube.call()
        expect(self.authorization()).to(equal("Bearer from-a-file"))

        self.kube.config(user={"token": "t", "exec": {"command": "nonsense"}})
        self.kube.call()
        expect(self.authorization()).to(equal("Bearer t"))

    with it("is not asked with a token that has a line end, nor with an empty or missing file"):
        expect(self.refusal(user={"token": "secret\n"})).to(contain("line end"))
        self.kube.file("token", "a\nb")
        expect(self.refusal(user={"tokenFile": "token"})).to(contain("line end"))
        self.kube.file("token", "\n")
        expect(self.refusal(user={"tokenFile": "token"})).to(contain("is empty"))
        expect(self.refusal(user={"tokenFile": "none"})).to(contain("No such file"))

    with it("does not show a token that it refuses"):
        expect(self.refusal(user={"token": "hunter2\n"})).not_to(contain("hunter2"))

    with it("is asked with a name and a password, and not with a token as well"):
        self.kube.config(user={"username": "me", "password": "sécret"})
        self.kube.call()
        expect(self.authorization()).to(equal(f"Basic {base64_of('me:sécret'.encode())}"))

        said = self.refusal(user={"username": "me", "token": "t"})
        expect(said).to(contain("more than one authentication method"))

    with it("is not asked by nobody"):
        for user in ({}, {"as": "me"}):
            expect(self.refusal(user=user)).to(contain("user u-here", "no credentials"))

    with it("is asked as somebody else where the user says so"):
        user = {"token": "t", "as": "bob", "as-groups": ["a", "b"], "as-user-extra": {"k": ["v"]}}
        self.kube.config(user=user)
        self.kube.call()

        headers = self.server.asked[-1].headers
        expect(headers["impersonate-user"]).to(equal("bob"))
        expect(headers["impersonate-group"]).to(equal("a|b"))
        expect(headers["impersonate-extra-k"]).to(equal("v"))

    with it("is asked with a client certificate, of files or in place"):
        client = a_certificate(self.authority, common_name="alice")
        self.kube.file("client.pem", client.pem.decode())
        self.kube.file("client.key", client.key.decode())
        self.kube.config(user={"client-certificate": "client.pem", "client-key": "client.key"})
        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.server.asked[-1].certificate).to(equal("alice"))

        pair = {
            "client-certificate-data": base64_of(client.pem),
            "client-key-data": base64_of(client.key),
        }
        self.kube.config(user=pair)
        expect(self.kube.call()).to(equal(ANSWER))
        expect([self.server.asked[-1].certificate, self.authorization()]).to(equal(["alice", None]))

    with it("is not asked with half a pair, nor with what is no certificate"):
        expect(self.refusal(user={"client-certificate-data": base64_of(b"x")})).to(contain("pair"))
        nonsense = {"client-certificate-data": "eA==", "client-key-data": "eA=="}
        expect(self.refusal(user=nonsense)).to(start_with("no cluster to act on"))
        expect(self.refusal(user={"client-key-data": "?"})).to(contain("not base64"))

    with it("is not asked where its authority is another, and is not trusted without a name"):
        other = an_authority("other")
        for_another = self.kube.cluster(certificate_authority_data=base64_of(other.pem))
        self.kube.config(cluster=for_another)
        expect(self.kube.call()).to(be_a(ClusterUnavailable))

        with_name = a_certificate(self.authority, common_name="127.0.0.1")
        nameless = LoopbackServer(with_name)
        self.kube.config(cluster=self.kube.cluster(server=nameless.url))
        expect(self.kube.call()).to(be_a(ClusterUnavailable))
        nameless.stop()
        expect(self.server.asked + nameless.asked).to(be_empty)

    with it("wants a file of authorities that is named, and no authorities where it is insecure"):
        cluster = self.kube.cluster(certificate_authority="none.pem")
        expect(self.refusal(cluster=cluster)).to(contain("none.pem", "No such file"))
        cluster = self.kube.cluster(insecure_skip_tls_verify=True)
        expect(self.refusal(cluster=cluster)).to(contain("insecure"))
        cluster = self.kube.cluster(certificate_authority_data=base64_of(b"nonsense"))
        expect(self.refusal(cluster=cluster)).to(start_with("no cluster to act on"))

    with it("is asked without verification where that is asked for"):
        cluster = {"server": self.server.url, "insecure-skip-tls-verify": True}
        self.kube.config(cluster=cluster)

        expect(self.kube.call()).to(equal(ANSWER))

    with it("is verified by tls-server-name, and asked for by it"):
        self.kube.config(cluster=self.kube.cluster(tls_server_name="api.example"))
        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.server.asked[-1].name).to(equal("api.example"))

        self.kube.config(cluster=self.kube.cluster(tls_server_name="other.example"))
        expect(self.kube.call()).to(be_a(ClusterUnavailable))

    with it("is verified by the host of its URL otherwise; an address is not asked for by name"):
        self.kube.config()
        self.kube.call()
        expect(self.server.asked[-1].name).to(be_none)

        port = self.server.port
        self.kube.config(cluster=self.kube.cluster(server=f"https://localhost:{port}"))
        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.server.asked[-1].name).to(equal("localhost"))

    with it("may lie below a path"):
        server = f"{self.server.url}/k8s/clusters/c-1/"
        self.kube.config(cluster=self.kube.cluster(server=server))
        self.kube.call("api", "v1", "nodes")

        expect(self.server.asked[-1].path).to(equal("/k8s/clusters/c-1/api/v1/nodes"))

    with it("may have an address of IPv6"):
        server = LoopbackServer(a_certificate(self.authority, "::1"), host="::1")
        self.kube.config(cluster=self.kube.cluster(server=server.url))

        expect(self.kube.call()).to(equal(ANSWER))
        expect(server.asked[-1].headers["host"]).to(equal(f"[::1]:{server.port}"))
        server.stop()

    with it("is asked over plain HTTP without credentials"):
        server = LoopbackServer()
        self.kube.config(cluster={"server": server.url}, user={"token": "t"})

        expect(self.kube.call()).to(equal(ANSWER))
        expect(server.asked[-1].headers).not_to(have_key("authorization"))
        server.stop()

    with it("has a URL of HTTPS without a scheme where it has certificates"):
        server = self.server.url.replace("https://", "")
        self.kube.config(cluster=self.kube.cluster(server=server))
        expect(self.kube.call()).to(equal(ANSWER))

    with it("has a URL"):
        for server in ("https://", "ftp://a", "https://a:b", "https://me:hunter2@a", "https://[a"):
            said = self.refusal(cluster=self.kube.cluster(server=server))
            expect(said).to(contain("server of cluster c-here"))
            expect(said).not_to(contain("hunter2"))
        expect(self.refusal(cluster={"certificate-authority-data": "eA=="})).to(
            contain("has no server")
        )

    with it("raises nothing but our errors, whatever its URL holds"):
        for server in (
            "https://a b",
            "https://\u2025",
            f"https://{'a' * 64}.example",
            "https://a.",
        ):
            self.kube.config(cluster=self.kube.cluster(server=server))
            expect(self.kube.call()).to(be_a((NoCluster, ClusterUnavailable)))

    with it("is asked with an OpenID Connect token while it holds, and with no other provider's"):

        def provider(name, token):
            return {"auth-provider": {"name": name, "config": {"id-token": token}}}

        token = "e30." + base64_of(b'{"exp": 99999999999}').rstrip("=") + ".x"
        self.kube.config(user=provider("oidc", token))
        self.kube.call()
        expect(self.authorization()).to(equal(f"Bearer {token}"))

        self.server.asked.clear()
        past = "e30." + base64_of(b'{"exp": 1}').rstrip("=") + ".x"
        expect(self.refusal(user=provider("oidc", past))).to(contain("is over"))
        expect(self.refusal(user=provider("oidc", "x"))).to(contain("malformed"))
        expect(self.refusal(user=provider("gcp", token))).to(contain("gcp", "exec plugin"))

    with it("is the pod's own only where the kubeconfig says nothing"):
        self.kube.config()
        self.kube.environ.update(POD)

        expect(self.kube.call()).to(equal(ANSWER))

    with it("is none where there is neither a kubeconfig nor a pod"):
        error = self.kube.call()

        expect(error).to(be_a(NoCluster))
        expect(str(error)).to(contain("there is no kubeconfig: ~/.kube/config is not there"))


with description("Through a proxy, the cluster of a kubeconfig") as self:
    with before.all:
        self.authority = an_authority()
        self.server = LoopbackServer(a_certificate(self.authority, "127.0.0.1", "api.example"))
        self.plain = LoopbackServer()

    with after.all:
        self.server.stop()
        self.plain.stop()

    with before.each:
        self.kube = Kubeconfigs(self.server, self.authority)
        self.proxy = Proxy(self.server)

    with after.each:
        self.kube.clean()
        self.proxy.stop()

    def config(self, server="https://api.example:6443", **cluster):
        self.kube.config(cluster=self.kube.cluster(server=server, **cluster))

    with it("is asked where proxy-url names one, whatever NO_PROXY says, also on this machine"):
        self.config(proxy_url=f"http://me:s%40cret@{self.proxy.address}", server=self.server.url)
        self.kube.environ["NO_PROXY"] = "*"

        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.proxy.asked[-1]).to(start_with(f"CONNECT 127.0.0.1:{self.server.port} "))
        expect(self.proxy.credentials).to(equal(f"Basic {base64_of(b'me:s@cret')}"))

    with it("is asked where the environment names one"):
        self.config()
        self.kube.environ["HTTPS_PROXY"] = self.proxy.address

        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.proxy.asked[0]).to(start_with("CONNECT api.example:6443 "))

    with it("is not asked where it is on this machine"):
        self.config(server=self.server.url)
        self.kube.environ["HTTPS_PROXY"] = self.proxy.address

        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.proxy.asked).to(be_empty)

    with it("is asked in plain HTTP with the whole URL"):
        proxy = Proxy(self.plain)
        self.kube.config(
            cluster={"server": "http://api.example", "proxy-url": f"http://{proxy.address}"}
        )

        expect(self.kube.call()).to(equal(ANSWER))
        expect(proxy.asked[-1]).to(equal("GET http://api.example/version HTTP/1.1"))
        proxy.stop()

    with it("is verified through it by tls-server-name"):
        self.config(
            server="https://somewhere.example",
            tls_server_name="api.example",
            proxy_url=f"http://{self.proxy.address}",
        )

        expect(self.kube.call()).to(equal(ANSWER))

    with it("is not asked where we cannot speak to the proxy"):
        for url in ("socks5://a:1", "socks5h://a", "127.0.0.1:3128", "http://", "http://a:b"):
            self.config(proxy_url=url)
            expect(self.kube.call()).to(be_a(NoCluster))
        self.config(proxy_url="socks5://me:hunter2@a:1")
        expect(str(self.kube.call())).to(contain("http:// or https://"))
        expect(str(self.kube.call())).not_to(contain("hunter2"))


with description("The TLS of Go's programs") as self:

    def answer_of(self, authority, leaf=None, trusted=None):
        server = LoopbackServer(leaf or a_certificate(authority, "127.0.0.1"))
        kube = Kubeconfigs(server, trusted or authority)
        kube.config()
        found = kube.call()
        server.stop()
        kube.clean()
        return found

    with it("accepts authorities that Python 3.13 refuses by default"):
        for odd in ({"key_identifiers": False}, {"critical": False}, {"key_usage": False}):
            expect(self.answer_of(an_authority(**odd))).to(equal(ANSWER))
        authority = an_authority()
        leaf = a_certificate(authority, "127.0.0.1", key_identifiers=False)
        expect(self.answer_of(authority, leaf)).to(equal(ANSWER))

    with it("is not strict where the default is"):
        strict = ssl.create_default_context()
        strict.verify_flags |= ssl.VERIFY_X509_STRICT
        with patch.object(ssl, "create_default_context", lambda **_: strict):
            made = tls.context()

        expect(bool(made.verify_flags & ssl.VERIFY_X509_STRICT)).to(be_false)
        expect([made.check_hostname, made.verify_mode]).to(equal([True, ssl.CERT_REQUIRED]))

    with it("accepts an intermediate authority alone"):
        root = an_authority("root")
        below = an_authority("below", by=root)

        expect(self.answer_of(below, trusted=below)).to(equal(ANSWER))


with description("The cluster that a playbook on this machine acts on") as self:
    with before.each:
        self.kube = Kubeconfigs()

    with after.each:
        self.kube.clean()

    with it("is that of the kubeconfig, with its context"):
        path = self.kube.config(context="staging")

        found = if_any(self.kube.environ)
        expect(str(found)).to(contain(path, "context staging", "https://198.18.7.7:6443"))

    with it("is none without a kubeconfig, or where KUBECONFIG is empty"):
        expect(if_any(self.kube.environ)).to(be_none)
        self.kube.config(".kube/config")
        expect(if_any({**self.kube.environ, "KUBECONFIG": ""})).to(be_none)

    with it("is the pod's own in a pod, unless the kubeconfig is asked for"):
        self.kube.config()
        inside = {**self.kube.environ, **POD}

        expect(str(if_any(inside))).to(contain("service account", "https://198.19.0.1:443"))
        asked = if_any({**inside, "KUBERNETES_LOAD_KUBE_CONFIG": "1"})
        expect(asked.context).to(equal("here"))
