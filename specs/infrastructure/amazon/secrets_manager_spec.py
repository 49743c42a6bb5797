import json

from expects import be_a, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.core.errors import ClusterUnavailable, NoCluster, NotPermitted, PlaybookError
from playbooks.infrastructure.amazon.api import AwsApi
from playbooks.infrastructure.amazon.secrets_manager import with_secrets
from specs.support.conditions import not_run_unless
from specs.support.loopback.aws_cloud import KEYS, MOTO, AwsCloud
from specs.support.loopback.server import Answer, LoopbackServer

WANTED = {"SLACK_WEBHOOK_URL": ("slack", "webhook"), "OTHER": ("slack", "other")}


def read(references, environ):
    return with_secrets(references, environ, aws=AwsApi(environ, sleep=lambda _: None))


def error_of(references, environ):
    try:
        return read(references, environ)
    except PlaybookError as error:
        return error


with description("Settings of Secrets Manager") as self:
    with before.all:
        self.cloud = AwsCloud()
        self.cloud.keep("slack", json.dumps({"webhook": "https://x/hunter2", "other": "o", "n": 1}))
        self.cloud.keep("plain", "hunter2")

    with after.all:
        self.cloud.stop()

    with it("are the texts under keys of a secret, beside the rest of the environment"):
        found = read(WANTED, {**self.cloud.environ, "A": "b"})

        expect((found["SLACK_WEBHOOK_URL"], found["OTHER"], found["A"])).to(
            equal(("https://x/hunter2", "o", "b"))
        )

    with it("name the secret and the key where there is no such text, and nothing that is in it"):
        for secret, key, why in (
            ("gone", "webhook", "ResourceNotFoundException"),
            ("slack", "webhooks", "no text under the key webhooks"),
            ("slack", "n", "no text under the key n"),
            ("plain", "webhook", "is no JSON object, expected one with the key webhook"),
        ):
            error = error_of({"A": (secret, key)}, self.cloud.environ)

            expect(error).to(be_a(NoCluster))
            expect(str(error)).to(contain(f"secret {secret}", why))
            expect(str(error)).not_to(contain("hunter2"))


not_run_unless(MOTO, globals(), title="Settings of Secrets Manager")


with description("Secrets Manager") as self:
    with before.each:
        self.server = LoopbackServer()
        self.environ = {
            **KEYS,
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.server.url,
        }

    with after.each:
        self.server.stop()

    with it("is asked once for a secret of which two settings want a key"):
        text = json.dumps({"webhook": "w", "other": "o"})
        self.server.answer = lambda asked: Answer(200, {"SecretString": text})
        read(WANTED, self.environ)

        expect(self.server.asked).to(have_len(1))
        asked = self.server.asked[0]
        expect(asked.headers["x-amz-target"]).to(equal("secretsmanager.GetSecretValue"))
        expect(asked.body).to(equal({"SecretId": "slack"}))

    with it("is not asked where no setting wants it"):
        expect(read({}, {"A": "b"})).to(equal({"A": "b"}))

    with it("says which right the role lacks"):
        said = {"__type": "com.amazonaws#AccessDeniedException", "Message": "no"}
        self.server.answer = lambda asked: Answer(400, said)
        error = error_of(WANTED, self.environ)

        expect(error).to(be_a(NotPermitted))
        expect(str(error)).to(contain("secret slack", "needs secretsmanager:GetSecretValue"))

    with it("is worth another start of the function where it fails twice, or the keys are over"):
        expired = Answer(400, {"__type": "ExpiredTokenException"})
        for answer, times in ((Answer(500), 2), (expired, 1)):
            self.server.asked.clear()
            self.server.answer = lambda asked, answer=answer: answer

            expect(error_of(WANTED, self.environ)).to(be_a(ClusterUnavailable))
            expect(self.server.asked).to(have_len(times))
