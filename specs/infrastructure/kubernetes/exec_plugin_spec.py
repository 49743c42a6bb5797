"""Exec plugins, as client-go runs them. Runs without a cluster."""

import base64
import io
import json
from contextlib import redirect_stderr

from expects import contain, end_with, equal, expect, have_key, have_len
from mamba import after, before, description, it

from playbooks.core.errors import CredentialsRefused
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.kubeconfigs import Kubeconfigs
from specs.support.loopback.server import Answer, LoopbackServer

V1, V1BETA1 = (f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1"))

ANSWER = {"kind": "Answer"}


def a_credential(api=V1, kind="ExecCredential", **status):
    return json.dumps({"apiVersion": api, "kind": kind, "status": status})


def says(text, *before):
    """A program that prints a text, and counts in the file ``runs`` how often it did."""
    return "\n".join(['echo run >> "$HOME/runs"', *before, f"cat <<'END'\n{text}\nEND"])


with description("An exec plugin") as self:
    with before.all:
        self.authority = an_authority()
        certificate = a_certificate(self.authority, "127.0.0.1")
        self.server = LoopbackServer(certificate, clients=self.authority)

    with after.all:
        self.server.stop()

    with before.each:
        self.server.asked.clear()
        self.server.answer = lambda asked: Answer()
        self.kube = Kubeconfigs(self.server, self.authority)

    with after.each:
        self.kube.clean()

    def plugin(self, program, *, api=V1, mode="Never", cluster=None, **more):
        self.kube.program("plugin", program)
        given = {"apiVersion": api, "command": "./plugin", "interactiveMode": mode, **more}
        self.kube.config(user={"exec": {k: v for k, v in given.items() if v}}, cluster=cluster)

    def refusal(self, program, **more):
        self.plugin(program, **more)
        return self.kube.refusal()

    def runs(self):
        return len((self.kube.path / "runs").read_text().split())

    with it("gives the token with which the cluster is asked"):
        self.plugin(says(a_credential(token="from-the-plugin")))

        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.server.asked[0].headers["authorization"]).to(equal("Bearer from-the-plugin"))

    with it("gives a certificate, with which it is asked instead"):
        client = a_certificate(self.authority, common_name="alice")
        pair = {
            "clientCertificateData": client.pem.decode(),
            "clientKeyData": client.key.decode(),
        }
        self.plugin(says(a_credential(**pair)))

        expect(self.kube.call()).to(equal(ANSWER))
        expect(self.server.asked[0].certificate).to(equal("alice"))
        expect(self.server.asked[0].headers).not_to(have_key("authorization"))

    with it("is not run before the cluster is asked for something"):
        self.plugin(says(a_credential(token="t")))
        self.kube.target()

        expect((self.kube.path / "runs").exists()).to(equal(False))

    with it("that fails keeps the cluster from being asked, and its own words are said"):
        with redirect_stderr(io.StringIO()) as seen:
            said = self.refusal("echo 'the SSO session has expired' >&2; exit 3")

        expect(said).to(contain("user u-here", "exit code 3", "the SSO session has expired"))
        expect(seen.getvalue()).to(equal("the SSO session has expired\n"))

    with it("that gives nothing usable keeps the cluster from being asked"):
        for printed, said in (
            ("junk", "decoding stdout"),
            ("[]", "decoding stdout"),
            (a_credential(kind="Pod", token="t"), "its kind is Pod"),
            (a_credential(api=V1BETA1, token="t"), f"API version {V1}, got {V1BETA1}"),
            (a_credential(), "didn't return a token or cert/key pair"),
            (a_credential(clientKeyData="k"), "only certificate or key"),
            (a_credential(clientKeyData="k", clientCertificateData="c"), "no cluster to act on"),
            (a_credential(token="a\nb"), "line end"),
            (a_credential(token=7), "expected to be text"),
            (a_credential(token="t", expirationTimestamp="soon"), "expirationTimestamp"),
        ):
            expect(self.refusal(says(printed))).to(contain(said))

    with it("that is not there is said to be missing, with the hint how to get it"):
        self.kube.config(
            user={
                "exec": {
                    "apiVersion": V1BETA1,
                    "command": "no-such-plugin",
                    "installHint": "get it from example.com",
                }
            }
        )
        expect(str(self.kube.call())).to(
            contain("'no-such-plugin' is not on the PATH. get it from example.com")
        )

        said = self.refusal(says(""), command="/nowhere/plugin")
        expect(said).to(contain("/nowhere/plugin", "No such file"))

    with it("is of a version that client-go knows, and says how interactive it is"):
        expect(self.refusal("", api="client.authentication.k8s.io/v1alpha1")).to(
            contain("invalid apiVersion")
        )
        expect(self.refusal("", mode=None)).to(contain("interactiveMode"))
        expect(self.refusal("", mode="Sometimes")).to(contain("interactiveMode"))
        self.plugin(says(a_credential(V1BETA1, token="t")), api=V1BETA1, mode=None)
        expect(self.kube.call()).to(equal(ANSWER))

    with it("is found on the PATH"):
        self.kube.environ["PATH"] = f"{self.kube.path}:/usr/bin:/bin"
        self.plugin(says(a_credential(token="t")), command="plugin")

        expect(self.kube.call()).to(equal(ANSWER))

    with it("gets its arguments and its environment, which wins over ours"):
        told = 'printf "%s|%s|%s" "$1" "$OURS" "$ITS" > "$HOME/told"'
        self.kube.environ.update(OURS="ours", ITS="ours")
        env = [{"name": "ITS", "value": "its"}]
        self.plugin(says(a_credential(token="t"), told), args=["get-token"], env=env)
        self.kube.call()

        expect((self.kube.path / "told").read_text()).to(equal("get-token|ours|its"))

    with it("is told of the cluster where it wants to know"):
        told = 'printf "%s" "$KUBERNETES_EXEC_INFO" > "$HOME/told"'
        own = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
        cluster = self.kube.cluster(tls_server_name="127.0.0.1", extensions=[own])
        self.plugin(says(a_credential(token="t"), told), cluster=cluster, provideClusterInfo=True)
        self.kube.call()

        expect(json.loads((self.kube.path / "told").read_text())).to(
            equal(
                {
                    "kind": "ExecCredential",
                    "apiVersion": V1,
                    "spec": {
                        "interactive": False,
                        "cluster": {
                            "server": self.server.url,
                            "certificate-authority-data": base64.b64encode(
                                self.authority.pem
                            ).decode(),
                            "tls-server-name": "127.0.0.1",
                            "config": {"audience": "a"},
                        },
                    },
                }
            )
        )

    with it("is run once for all calls until what it gave expires"):
        later = "2099-01-01T00:00:00Z"
        self.plugin(says(a_credential(token="t", expirationTimestamp=later)))
        api = self.kube.api()
        for _ in range(3):
            api.get("version")

        expect(self.runs()).to(equal(1))

    with it("is run again for the next call once what it gave has expired"):
        self.plugin(says(a_credential(token="t", expirationTimestamp="2020-01-01T00:00:00Z")))
        api = self.kube.api()
        api.get("version")
        api.get("version")

        expect(self.server.asked).to(have_len(2))
        expect(self.runs()).to(equal(2))

    with it("is run again for the next call once the API server refused what it gave"):
        self.plugin(says(a_credential(token="t")))
        self.server.answer = lambda asked: Answer(401)
        api = self.kube.api()
        for _ in range(2):
            try:
                api.get("version")
            except CredentialsRefused as error:
                expect(str(error)).to(end_with("(401)"))

        expect([self.runs(), len(self.server.asked)]).to(equal([2, 2]))
