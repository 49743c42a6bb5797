import base64
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

import botocore.auth
from expects import contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import NoCluster
from playbooks.infrastructure.amazon.api import keys
from playbooks.infrastructure.amazon.eks_token import EksToken
from specs.support.loopback.eks import NotVerified, Role, Verifier

ARN = "arn:aws:iam::123456789012:role/falco-delete"
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "ASIASPEC",
    "AWS_SECRET_ACCESS_KEY": "secret/key+of==",
    "AWS_SESSION_TOKEN": "IQoJ/b3J+pZ2lu==",
    "AWS_REGION": "eu-west-1",
}
ROLES = {"ASIASPEC": Role(ARN, ENVIRON["AWS_SECRET_ACCESS_KEY"], ENVIRON["AWS_SESSION_TOKEN"])}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def url_of(token):
    encoded = token.partition(".")[2]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def token_of(url):
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


with description("A token of EKS") as self:
    with before.each:
        self.now = NOW
        self.clock = patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: self.now)
        self.clock.start()

    with after.each:
        self.clock.stop()

    def made(self, cluster="prod", **environ):
        return EksToken(cluster, {**ENVIRON, **environ}, clock=lambda: self.now.timestamp())

    def token(self, **environ):
        return self.made(**environ).header().partition("Bearer ")[2]

    with it("is that of the execution role, for its cluster"):
        expect(Verifier("prod", ROLES).role_of(self.token(), NOW)).to(equal(ARN))

    with it("is none of another cluster, with another key, or of a session that is another"):
        other = {"ASIASPEC": Role(ARN, "another key", ENVIRON["AWS_SESSION_TOKEN"])}
        session = {"ASIASPEC": Role(ARN, ENVIRON["AWS_SECRET_ACCESS_KEY"], "another")}
        for verifier, why in (
            (Verifier("staging", ROLES), "signature"),
            (Verifier("prod", other), "signature"),
            (Verifier("prod", session), "session"),
            (Verifier("prod", {}), "no such key"),
        ):
            expect(lambda verifier=verifier: verifier.role_of(self.token(), NOW)).to(
                raise_error(NotVerified, contain(why))
            )

    with it("is refused with anything in it changed, or added"):
        token = self.token()
        for old, new in (
            ("https://", "http://"),
            ("sts.eu-west-1", "sts.eu-west-1.evil.example/"),
            ("GetCallerIdentity", "AssumeRole"),
            ("X-Amz-Expires=60", "X-Amz-Expires=61"),
            ("Version=", "Extra=1&Version="),
            ("Version=", "Action=GetCallerIdentity&Version="),
            ("%3Bx-k8s-aws-id", ""),
        ):
            forged = token_of(url_of(token).replace(old, new))

            expect(forged).not_to(equal(token))
            expect(lambda forged=forged: Verifier("prod", ROLES).role_of(forged, NOW)).to(
                raise_error(NotVerified)
            )
        for forged in (token + "=", token[1:], "k8s-aws-v1." + "a" * 4096):
            expect(lambda forged=forged: Verifier("prod", ROLES).role_of(forged, NOW)).to(
                raise_error(NotVerified)
            )

    with it("is used for 13 minutes of the 15 that it holds, and then made anew"):
        token = self.made()
        first = token.header()
        self.now += timedelta(minutes=12, seconds=59)
        kept = token.header()
        self.now += timedelta(seconds=1)
        renewed = token.header()

        expect(kept).to(equal(first))
        expect(renewed).not_to(equal(first))
        late = NOW + timedelta(minutes=15, seconds=1)
        expect(lambda: Verifier("prod", ROLES).role_of(first[7:], late)).to(
            raise_error(NotVerified, contain("over"))
        )

    with it("is made anew once it was refused"):
        token = self.made()
        first = token.header()
        self.now += timedelta(seconds=1)
        token.renew()

        expect(token.header()).not_to(equal(first))

    with it("asks STS in the region of the function, in China under its domain"):
        expect(url_of(self.token())).to(contain("https://sts.eu-west-1.amazonaws.com/?Action="))
        expect(url_of(self.token(AWS_REGION="cn-north-1"))).to(
            contain("https://sts.cn-north-1.amazonaws.com.cn/?Action=")
        )

    with it("is not made outside of a region, or without a role"):
        for name in ("AWS_REGION", "AWS_SECRET_ACCESS_KEY"):
            expect(lambda name=name: self.token(**{name: ""})).to(
                raise_error(NoCluster, contain(name))
            )

    with it("is made of keys that nothing shows"):
        shown = repr(keys(ENVIRON))

        expect(shown).not_to(contain(ENVIRON["AWS_SECRET_ACCESS_KEY"]))
        expect(shown).not_to(contain(ENVIRON["AWS_SESSION_TOKEN"]))
