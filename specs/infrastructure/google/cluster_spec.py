import base64
import json

from expects import be_a, contain, equal, expect, have_len, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import CredentialsRefused, InvalidSetting, NoCluster, PlaybookError
from playbooks.delete import playbook as delete
from playbooks.infrastructure.google import cluster
from playbooks.infrastructure.google.account import ServiceAccount
from playbooks.slack import playbook as slack
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.google_cloud import NAME, FakeCredentials, GoogleCloud
from specs.support.loopback.server import Answer, LoopbackServer

PLUGIN = {
    "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "provideClusterInfo": True,
    }
}

with description("The cluster of a kubeconfig in Secret Manager") as self:
    with before.all:
        self.authority = an_authority()
        self.server = LoopbackServer(a_certificate(self.authority, "127.0.0.1"))

    with after.all:
        self.server.stop()

    with before.each:
        self.server.asked.clear()
        self.server.answer = lambda asked: Answer()
        self.cloud = GoogleCloud()
        self.account = ServiceAccount(find=lambda: FakeCredentials(self.cloud))

    with after.each:
        self.cloud.stop()

    def keep(self, user):
        trusted = base64.b64encode(self.authority.pem).decode()
        given = {"server": self.server.url, "certificate-authority-data": trusted}
        kubeconfig = {
            "current-context": "gke",
            "clusters": [{"name": "c", "cluster": given}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "gke", "context": {"cluster": "c", "user": "u"}}],
        }
        self.cloud.secrets[NAME] = json.dumps(kubeconfig)

    def api(self):
        environ = {**self.cloud.environ, "KUBECONFIG_SECRET": NAME}
        return cluster.api_of(environ, account=self.account)

    def error(self):
        try:
            return self.api().get("version")
        except PlaybookError as error:
            return error

    with it("is asked with the token of that kubeconfig, which is read once"):
        self.keep({"token": "kept"})
        api = self.api()
        for _ in range(3):
            api.get("version")

        expect({asked.headers["authorization"] for asked in self.server.asked}).to(
            equal({"Bearer kept"})
        )
        expect(self.cloud.reads).to(equal([NAME]))

    with it("is read again once the API server refused its credentials"):
        self.keep({"token": "old"})
        api = self.api()
        self.server.answer = lambda asked: Answer(
            200 if asked.headers["authorization"] == "Bearer new" else 401
        )
        expect(lambda: api.get("version")).to(raise_error(CredentialsRefused))
        self.keep({"token": "new"})

        expect(api.get("version")).to(equal({"kind": "Answer"}))
        expect(self.cloud.reads).to(have_len(2))

    with it("has the token of the function's own account where gcloud's plugin would be asked"):
        for user in (
            PLUGIN,
            {"exec": {**PLUGIN["exec"], "command": "/opt/google/bin/gke-gcloud-auth-plugin"}},
            {"auth-provider": {"name": "gcp", "config": {"cmd-path": "gcloud"}}},
        ):
            self.keep(user)
            self.api().get("version")

            sent = self.server.asked[-1].headers["authorization"]
            expect(sent).to(equal(f"Bearer {self.cloud.tokens[-1]}"))

    with it("has another token of the account once one was refused"):
        self.keep(PLUGIN)
        api = self.api()
        refused = []
        self.server.answer = lambda asked: Answer(
            401 if not refused and not refused.append(asked) else 200
        )
        expect(lambda: api.get("version")).to(raise_error(CredentialsRefused))
        api.get("version")
        sent = [asked.headers["authorization"] for asked in self.server.asked]

        expect(sent[0]).not_to(equal(sent[1]))

    with it("is refused where it wants another program, which is named: nobody asks anonymously"):
        self.keep({"exec": {**PLUGIN["exec"], "command": "aws"}})
        error = self.error()

        expect(error).to(be_a(NoCluster))
        expect(str(error)).to(contain("user u wants the program aws, which no function has"))
        expect(self.server.asked).to(have_len(0))

    with it("is refused where the secret is no kubeconfig, which is named"):
        self.cloud.secrets[NAME] = "{"
        expect(str(self.error())).to(contain(NAME))

        self.cloud.secrets[NAME] = "apiVersion: v1\n"
        expect(str(self.error())).to(contain("has no current-context"))

    with it("has to be named where a playbook acts on a cluster, by a version of a secret"):
        for environ in ({}, {"KUBECONFIG_SECRET": "kubeconfig"}):
            expect(lambda environ=environ: cluster.on_cluster(delete, environ)).to(
                raise_error(InvalidSetting, contain("KUBECONFIG_SECRET"))
            )
        expect(cluster.on_cluster(slack, {})).to(equal(slack))
