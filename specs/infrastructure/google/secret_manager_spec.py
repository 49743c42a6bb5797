from expects import be_a, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.core.errors import ClusterUnavailable, NoCluster, NotPermitted, PlaybookError
from playbooks.infrastructure.google.account import ServiceAccount
from playbooks.infrastructure.google.secret_manager import OVERRIDE, SecretManager
from specs.support.loopback.google_cloud import NAME, FakeCredentials, GoogleCloud
from specs.support.loopback.server import Answer

with description("A secret in Secret Manager") as self:
    with before.each:
        self.cloud = GoogleCloud()
        self.cloud.secrets[NAME] = "apiVersion: v1\n"
        self.pauses = []

    with after.each:
        self.cloud.stop()

    def manager(self):
        account = ServiceAccount(find=lambda: FakeCredentials(self.cloud))
        return SecretManager(account, self.cloud.environ, sleep=self.pauses.append)

    def error(self, name=NAME):
        try:
            return self.manager().text(name)
        except PlaybookError as error:
            return error

    with it("is read by its whole name, with the token of the function's account"):
        expect(self.manager().text(NAME)).to(equal("apiVersion: v1\n"))
        expect(self.cloud.reads).to(equal([NAME]))
        expect(self.cloud.server.asked[-1].headers["authorization"]).to(equal("Bearer token-1"))

    with it("is read once more where the server fails, and not for half a minute"):
        self.cloud.failures = [503]

        expect(self.manager().text(NAME)).to(equal("apiVersion: v1\n"))
        expect(self.pauses).to(equal([0.5]))

    with it("is worth another alert where the server fails twice"):
        self.cloud.failures = [503, 429]
        error = self.error()

        expect(error).to(be_a(ClusterUnavailable))
        expect(str(error)).to(contain(f"secret {NAME}: Secret Manager answers 429"))
        expect(self.cloud.reads).to(have_len(2))

    with it("is read with another token where the first is refused"):
        self.cloud.failures = [401]

        expect(self.manager().text(NAME)).to(equal("apiVersion: v1\n"))
        expect(self.cloud.tokens).to(equal(["token-1", "token-2"]))

    with it("says which role lets it be read where it may not be"):
        self.cloud.failures = [403]
        error = self.error()

        expect(error).to(be_a(NotPermitted))
        expect(str(error)).to(contain("roles/secretmanager.secretAccessor"))

    with it("says its name where it is not there, or disabled"):
        missing = NAME.replace("kubeconfig", "another")
        self.cloud.failures = [400]

        expect(str(self.error())).to(contain("Secret Manager answers 400"))
        error = self.error(missing)
        expect(error).to(be_a(NoCluster))
        expect(str(error)).to(contain(missing))

    with it("is none where the answer nests without an end"):
        for status in (200, 404):
            self.cloud._secret = lambda _, status=status: Answer(status, b"[" * 100_000)

            expect(self.error()).to(be_a(NoCluster))

    with it("is worth another alert where nobody answers"):
        environ = {OVERRIDE: "http://127.0.0.1:9"}
        account = ServiceAccount(find=lambda: FakeCredentials(self.cloud))
        try:
            SecretManager(account, environ, sleep=self.pauses.append).text(NAME)
            error = None
        except ClusterUnavailable as found:
            error = found

        expect(str(error)).to(contain("Secret Manager did not answer"))

    with it("is asked for where its region is, unless there is an endpoint of one's own"):
        manager = SecretManager(ServiceAccount(find=lambda: None), {})
        regional = "projects/p/locations/europe-west1/secrets/s/versions/1"

        expect(manager._server(regional)).to(
            equal("https://secretmanager.europe-west1.rep.googleapis.com")
        )
        expect(manager._server(NAME)).to(equal("https://secretmanager.googleapis.com"))
