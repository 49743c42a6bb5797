"""Falcosidekick itself, to functions of this machine, with an API server on loopback that knows no
pod: which alert arrives, and what becomes of it."""

import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from specs.support.conditions import not_run_unless
from specs.support.engines.cloud_function import FUNCTIONS_FRAMEWORK, CloudFunction
from specs.support.engines.falcosidekick import FALCOSIDEKICK, forwarded
from specs.support.engines.openfaas_function import OPENFAAS_TEMPLATE, OpenFaasFunction
from specs.support.engines.process import KnativeFunction, a_fresh_alert
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.google_cloud import NAME, GoogleCloud
from specs.support.loopback.kubeconfigs import Kubeconfigs
from specs.support.loopback.server import LoopbackServer, nothing_there
from specs.support.processes import eventually

RULE = "Zugriff auf Schlüssel"


def send(says, **settings):
    """Falcosidekick's log, once it says so."""
    return forwarded(a_fresh_alert(rule=RULE), says, **settings)


with description("Falcosidekick, to functions of this machine,") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        authority = an_authority()
        self.server = LoopbackServer(a_certificate(authority, "127.0.0.1"), answer=nothing_there)
        self.cloud = GoogleCloud()
        self.kubeconfig = Kubeconfigs(self.server, authority).text()
        self.cloud.secrets[NAME] = self.kubeconfig

    with after.each:
        self.server.stop()
        self.cloud.stop()
        self.directory.cleanup()

    with it("reaches a Cloud Function by its Cloud Run output"):
        with CloudFunction("-e", f"KUBECONFIG_SECRET={NAME}", environ=self.cloud.environ) as served:
            log = send("OK", GCP_CLOUDRUN_ENDPOINT=served.url, GCP_CLOUDRUN_JWT="a.b.c")

        expect([each["reason"] for each in served.outcomes]).to(equal(["pod-gone"]))
        expect(served.outcomes[0]["alert"]["rule"]).to(equal(RULE))
        expect(log).to(contain("(200)"))

    with it("reaches a playbook on Knative by its CloudEvents output, with the token"):
        path = Path(self.directory.name, "kubeconfig")
        path.write_text(self.kubeconfig)
        environ = {
            "EVENT_TOKEN": "a-token",
            "KUBERNETES_LOAD_KUBE_CONFIG": "1",
            "KUBECONFIG": str(path),
        }

        def outcomes():
            return [each for each in served.outcomes if each["reason"] != "invalid-alert"]

        with KnativeFunction(environ) as served:
            extensions = "falcotoken:a-token"
            send("OK", CLOUDEVENTS_ADDRESS=served.url, CLOUDEVENTS_EXTENSIONS=extensions)
            eventually(outcomes)

        expect([each["reason"] for each in outcomes()]).to(equal(["pod-gone"]))
        expect(outcomes()[0]["alert"]["rule"]).to(equal(RULE))


with description("Falcosidekick, to a function of OpenFaaS of this machine,") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        authority = an_authority()
        self.server = LoopbackServer(a_certificate(authority, "127.0.0.1"), answer=nothing_there)
        path = Path(self.directory.name, "kubeconfig")
        path.write_text(Kubeconfigs(self.server, authority).text())
        self.environ = {"KUBECONFIG": str(path)}

    with after.each:
        self.server.stop()
        self.directory.cleanup()

    with it("reaches it by its OpenFaaS output"):
        with OpenFaasFunction("-s", "KUBECONFIG=k/k", environ=self.environ) as function:
            send("OK (200)", **function.output)

        expect([each["reason"] for each in function.outcomes]).to(equal(["pod-gone"]))
        expect(function.outcomes[0]["alert"]["rule"]).to(equal(RULE))

    with it("is refused by one that has a token, which only its webhook output can send"):
        environ = {**self.environ, "HTTP_TOKEN": "a-token-of-some-length"}
        token = "Authorization:Bearer a-token-of-some-length"
        with OpenFaasFunction("-s", "KUBECONFIG=k/k", environ=environ) as function:
            send("401", **function.output)
            url = f"http://127.0.0.1:{function.port}/function/falco-delete.openfaas-fn"
            send("OK (200)", WEBHOOK_ADDRESS=url, WEBHOOK_CUSTOMHEADERS=token)

        expect([each["reason"] for each in function.outcomes]).to(equal(["pod-gone"]))


not_run_unless(FALCOSIDEKICK, globals())
not_run_unless(FUNCTIONS_FRAMEWORK, globals(), title="to functions")
not_run_unless(OPENFAAS_TEMPLATE, globals(), title="OpenFaaS")
