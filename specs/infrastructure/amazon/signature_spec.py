from datetime import datetime, timezone
from importlib.util import find_spec

from expects import contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import NoCluster
from playbooks.infrastructure.amazon.signature import AwsKeys, SigningScope, presigned, signed
from specs.support.conditions import Condition, not_run_unless

# 2026-01-02T03:04:05Z
NOW = 1767323045.0

KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
OF_SESSION = AwsKeys(KEYS.access_key, KEYS.secret_key, "IQoJ/b3J+pZ2lu==")

with description("A signature of AWS") as self:
    with it("is that of AWS's own test suite"):
        # get-vanilla. Source: https://docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite.html
        scope = SigningScope("service", "us-east-1", 1440938160.0)
        headers = signed(KEYS, scope, "GET", "https://example.amazonaws.com/", {}, b"")

        expect(headers["X-Amz-Date"]).to(equal("20150830T123600Z"))
        expect(headers["Authorization"]).to(
            contain(
                "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
                "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
                "SignedHeaders=host;x-amz-date,",
            )
        )

    with it("is not made without keys, and shows none of them"):
        expect(lambda: AwsKeys.of({"AWS_ACCESS_KEY_ID": "a"})).to(
            raise_error(NoCluster, contain("AWS_SECRET_ACCESS_KEY"))
        )
        expect(repr(OF_SESSION)).not_to(contain("EXAMPLEKEY"))
        expect(repr(OF_SESSION)).not_to(contain("IQoJ"))


def comparable(header):
    return header.replace(", ", ",")


def frozen():
    """botocore, at that second."""
    from unittest.mock import patch

    import botocore.auth

    now = datetime.fromtimestamp(NOW, timezone.utc)
    return patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: now)


def botocores(keys):
    from botocore.credentials import ReadOnlyCredentials

    return ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token or None)


with description("A signature of AWS, beside botocore's,") as self:
    with it("is the same for a request with a body, with and without a session"):
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        url = "https://secretsmanager.eu-west-1.amazonaws.com/"
        given = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "a.Operation"}
        for keys in (KEYS, OF_SESSION):
            asked = AWSRequest("POST", url, headers=given, data=b'{"SecretId": "a"}')
            with frozen():
                SigV4Auth(botocores(keys), "secretsmanager", "eu-west-1").add_auth(asked)
            scope = SigningScope("secretsmanager", "eu-west-1", NOW)
            ours = signed(keys, scope, "POST", url, given, b'{"SecretId": "a"}')

            expect(comparable(ours["Authorization"])).to(
                equal(comparable(asked.headers["Authorization"]))
            )

    with it("is the same URL for a token of EKS, to the byte"):
        from botocore.auth import SigV4QueryAuth
        from botocore.awsrequest import AWSRequest

        url = "https://sts.eu-west-1.amazonaws.com/"
        query = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
        for keys in (KEYS, OF_SESSION):
            asked = AWSRequest("GET", url, headers={"x-k8s-aws-id": "prod"}, params=query)
            with frozen():
                SigV4QueryAuth(botocores(keys), "sts", "eu-west-1", expires=60).add_auth(asked)
            scope = SigningScope("sts", "eu-west-1", NOW)
            ours = presigned(keys, scope, url, query, {"x-k8s-aws-id": "prod"}, 60)

            expect(ours).to(equal(asked.url))


not_run_unless(
    Condition(find_spec("botocore") is not None, "botocore is not installed"),
    globals(),
    title="beside botocore's",
)
