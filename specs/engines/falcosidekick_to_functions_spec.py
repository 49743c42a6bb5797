"""Falcosidekick itself, to functions of this machine, with an API server on loopback that knows no
pod: which alert arrives, and what becomes of it."""

import tempfile
import time
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.instant import Instant
from playbooks.testing import a_document
from specs.engines.worker.rig import eventually
from specs.support.certificates import a_certificate, an_authority
from specs.support.cloud_function import FUNCTIONS_FRAMEWORK, CloudFunction
from specs.support.conditions import not_run_unless
from specs.support.falcosidekick import FALCOSIDEKICK, Falcosidekick
from specs.support.function_process import KnativeFunction
from specs.support.google_cloud import NAME, GoogleCloud
from specs.support.https_server import ApiServer, nothing_there
from specs.support.kubeconfigs import Kubeconfigs
from specs.support.openfaas import OPENFAAS_TEMPLATE, OpenFaasFunction

ABOUT = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "container.id": "1376fe875695"}
RULE = "Zugriff auf Schlüssel"


with description("Falcosidekick, to functions of this machine,") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        authority = an_authority()
        self.server = ApiServer(a_certificate(authority, "127.0.0.1"), answer=nothing_there)
        self.cloud = GoogleCloud()
        self.kubeconfig = Kubeconfigs(self.server, authority).text()
        self.cloud.secrets[NAME] = self.kubeconfig

    with after.each:
        self.server.stop()
        self.cloud.stop()
        self.directory.cleanup()

    def take(self, **settings):
        """Falcosidekick's log, once it has sent an alert."""
        sidekick = Falcosidekick(self.directory.name, **settings)
        try:
            now = str(Instant(time.time_ns()))
            sidekick.take(a_document(rule=RULE, time=now, output_fields=ABOUT))
            sidekick.says("OK")
            return sidekick.log
        finally:
            sidekick.end()

    with it("reaches a Cloud Function by its Cloud Run output"):
        with CloudFunction("-e", f"KUBECONFIG_SECRET={NAME}", environ=self.cloud.environ) as served:
            log = self.take(GCP_CLOUDRUN_ENDPOINT=served.url, GCP_CLOUDRUN_JWT="a.b.c")

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
            self.take(CLOUDEVENTS_ADDRESS=served.url, CLOUDEVENTS_EXTENSIONS=extensions)
            eventually(outcomes)

        expect([each["reason"] for each in outcomes()]).to(equal(["pod-gone"]))
        expect(outcomes()[0]["alert"]["rule"]).to(equal(RULE))


with description("Falcosidekick, to a function of OpenFaaS of this machine,") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        authority = an_authority()
        self.server = ApiServer(a_certificate(authority, "127.0.0.1"), answer=nothing_there)
        path = Path(self.directory.name, "kubeconfig")
        path.write_text(Kubeconfigs(self.server, authority).text())
        self.environ = {"KUBECONFIG": str(path)}

    with after.each:
        self.server.stop()
        self.directory.cleanup()

    def send(self, says, **settings):
        sidekick = Falcosidekick(self.directory.name, **settings)
        try:
            now = str(Instant(time.time_ns()))
            sidekick.take(a_document(rule=RULE, time=now, output_fields=ABOUT))
            sidekick.says(says)
        finally:
            sidekick.end()

    with it("reaches it by its OpenFaaS output"):
        with OpenFaasFunction("-s", "KUBECONFIG=k/k", environ=self.environ) as function:
            self.send("OK (200)", **function.output)

        expect([each["reason"] for each in function.outcomes]).to(equal(["pod-gone"]))
        expect(function.outcomes[0]["alert"]["rule"]).to(equal(RULE))

    with it("is refused by one that has a token, which only its webhook output can send"):
        environ = {**self.environ, "HTTP_TOKEN": "a-token-of-some-length"}
        token = "Authorization:Bearer a-token-of-some-length"
        with OpenFaasFunction("-s", "KUBECONFIG=k/k", environ=environ) as function:
            self.send("401", **function.output)
            url = f"http://127.0.0.1:{function.port}/function/falco-delete.openfaas-fn"
            self.send("OK (200)", WEBHOOK_ADDRESS=url, WEBHOOK_CUSTOMHEADERS=token)

        expect([each["reason"] for each in function.outcomes]).to(equal(["pod-gone"]))


not_run_unless(FALCOSIDEKICK, globals())
not_run_unless(FUNCTIONS_FRAMEWORK, globals(), title="to functions")
not_run_unless(OPENFAAS_TEMPLATE, globals(), title="OpenFaaS")
