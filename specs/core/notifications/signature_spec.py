from expects import contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.instant import Instant
from playbooks.core.notifications import signature

# The example of https://www.standardwebhooks.com and of its reference implementations.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

with description("The signature of a webhook") as self:
    with it("is that of the standard's own example"):
        now = Instant(1614265330 * 10**9 + 5)
        made = signature.headers(signature.keys(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", now, BODY)

        expect(made).to(
            equal(
                {
                    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                    "webhook-timestamp": "1614265330",
                    "webhook-signature": SIGNED,
                }
            )
        )

    with it("is by each of several secrets"):
        keys = signature.keys(f"{SECRET}\n{SECRET}")
        made = signature.headers(
            keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", Instant(1614265330 * 10**9), BODY
        )

        expect(made["webhook-signature"]).to(equal(f"{SIGNED} {SIGNED}"))

    with it("takes no secret that is no base64, none that is too short or too long, and no other"):
        for text in (
            *("", " ", "plain-secret", "whsec_", "whsec_plain-secret-of-many-letters!!"),
            *("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_c2hvcnQ=", f"whsec_{'A' * 88}"),
            *(f"{SECRET} plain", SECRET[len("whsec_") :], "other_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ):
            expect(lambda text=text: signature.keys(text)).to(
                raise_error(ValueError, contain("whsec_ and 24 to 64 random bytes in base64"))
            )
