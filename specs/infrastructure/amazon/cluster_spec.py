import base64

from expects import be_a, contain, equal, expect, have_len, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import (
    ClusterUnavailable,
    CredentialsRefused,
    InvalidSetting,
    NoCluster,
    NotPermitted,
    PlaybookError,
)
from playbooks.delete import playbook as delete
from playbooks.infrastructure.amazon import cluster
from playbooks.infrastructure.amazon.api import AwsApi
from playbooks.slack import playbook as slack
from specs.support.conditions import not_run_unless
from specs.support.loopback.aws_cloud import KEYS, MOTO, ROLE, AwsCloud
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.eks import Role, Verifier
from specs.support.loopback.server import Answer, LoopbackServer

ROLES = {
    KEYS["AWS_ACCESS_KEY_ID"]: Role(ROLE, KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_SESSION_TOKEN"])
}


def api_of(environ):
    return cluster.api_of(environ, aws=AwsApi(environ, sleep=lambda _: None))


def error_of(environ):
    try:
        return api_of(environ).get("version")
    except PlaybookError as error:
        return error


with description("The cluster that EKS describes") as self:
    with before.all:
        authority = an_authority()
        self.server = LoopbackServer(a_certificate(authority, "127.0.0.1"))
        self.trusted = base64.b64encode(authority.pem).decode()
        self.cloud = AwsCloud()
        self.cloud.make_cluster("prod", self.server.url, self.trusted)
        self.cloud.make_cluster("creating", "", "")

    with after.all:
        self.server.stop()
        self.cloud.stop()

    with before.each:
        self.server.asked.clear()
        self.server.answer = lambda asked: Answer()

    def environ(self, name="prod"):
        return {**self.cloud.environ, "EKS_CLUSTER": name}

    with it("is asked with a token of the function's role, for this cluster"):
        api = api_of(self.environ())
        for _ in range(2):
            api.get("version")

        sent = {asked.headers["authorization"] for asked in self.server.asked}
        expect(sent).to(have_len(1))
        expect(Verifier("prod", ROLES).role_of(sent.pop()[len("Bearer ") :])).to(equal(ROLE))

    with it("is described again, and asked with another token, once one was refused"):
        api = api_of(self.environ())
        self.server.answer = lambda asked: Answer(401)
        expect(lambda: api.get("version")).to(raise_error(CredentialsRefused))
        self.server.answer = lambda asked: Answer()

        expect(api.get("version")).to(equal({"kind": "Answer"}))

    with it("is not there where EKS knows none of that name, or it is not ready"):
        for name, why in (("gone", "ResourceNotFoundException"), ("creating", "no API server")):
            error = error_of(self.environ(name))

            expect(error).to(be_a(NoCluster))
            expect(str(error)).to(contain(f"cluster {name} of EKS", why))

    with it("says that nobody answers, so that the alert is tried again"):
        environ = {**self.environ(), "AWS_ENDPOINT_URL_EKS": "http://127.0.0.1:9"}

        expect(error_of(environ)).to(be_a(ClusterUnavailable))

    with it("is asked for without EKS where the settings have it"):
        environ = {
            **self.environ(),
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "EKS_ENDPOINT": self.server.url,
            "EKS_CA": self.trusted,
        }

        expect(api_of(environ).get("version")).to(equal({"kind": "Answer"}))


not_run_unless(MOTO, globals(), title="The cluster that EKS describes")


with description("EKS") as self:
    with before.each:
        self.server = LoopbackServer()
        self.environ = {
            **KEYS,
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_EKS": self.server.url,
            "EKS_CLUSTER": "prod",
        }

    with after.each:
        self.server.stop()

    def answers(self, *answers):
        left = list(answers)
        self.server.answer = lambda asked: left.pop(0) if len(left) > 1 else left[0]

    with it("is asked as the role, by a signed request"):
        self.answers(Answer(404))
        error_of(self.environ)
        asked = self.server.asked[0]

        expect((asked.method, asked.path)).to(equal(("GET", "/clusters/prod")))
        expect(asked.headers["authorization"]).to(
            contain(f"Credential={KEYS['AWS_ACCESS_KEY_ID']}/", "/eu-west-1/eks/aws4_request")
        )
        expect(asked.headers["x-amz-security-token"]).to(equal(KEYS["AWS_SESSION_TOKEN"]))

    with it("is asked once more where it fails, and the alert is tried again where it fails twice"):
        throttled = Answer(400, {"__type": "ThrottlingException", "message": "slow down"})
        self.answers(Answer(503), throttled)

        expect(error_of(self.environ)).to(be_a(ClusterUnavailable))
        expect(self.server.asked).to(have_len(2))

    with it("says which right the role lacks"):
        header = {"x-amzn-ErrorType": "AccessDeniedException:http://internal.amazon.com/"}
        self.answers(Answer(403, {"message": "no"}, header))
        error = error_of(self.environ)

        expect(error).to(be_a(NotPermitted))
        expect(str(error)).to(contain("cluster prod of EKS", "needs eks:DescribeCluster"))

    with it("is not believed where it names a server without HTTPS: the token would be heard"):
        described = {"endpoint": "http://10.0.0.1", "certificateAuthority": {"data": "eA=="}}
        self.answers(Answer(200, {"cluster": described}))

        expect(str(error_of(self.environ))).to(contain("no API server with HTTPS"))


with description("The settings of a cluster of EKS") as self:
    with it("are wanted where a playbook acts on a cluster, and checked"):
        for environ, why in (
            ({}, "EKS_CLUSTER is not set"),
            ({"EKS_CLUSTER": "a/b"}, "EKS_CLUSTER is 'a/b', expected the name of a cluster"),
            ({"EKS_CLUSTER": "a", "EKS_ENDPOINT": "http://a"}, "starts with https://"),
            ({"EKS_CLUSTER": "a", "EKS_ENDPOINT": "https://a"}, "expected both"),
            ({"EKS_CLUSTER": "a", "EKS_CA": "eA=="}, "a certificate authority in PEM, as base64"),
            ({"EKS_CLUSTER": "a", "EKS_CA": "%"}, "a certificate authority in PEM, as base64"),
        ):
            expect(lambda environ=environ: cluster.on_cluster(delete, environ)).to(
                raise_error(InvalidSetting, contain(why))
            )
        expect(cluster.on_cluster(slack, {})).to(equal(slack))
