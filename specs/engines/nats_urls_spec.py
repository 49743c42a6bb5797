from expects import contain, equal, expect
from mamba import description, it

from playbooks.engines.nats_urls import Server, servers

# Passwords that are not percent-encoded, and what a client that splits at the wrong place shows.
NOT_ENCODED = (
    "nats://user:S3c@ret@host:4222",
    "nats://user:S3c#ret@host:4222",
    "nats://user:S3c/ret@host:4222",
    "nats://user:S3c?ret@host:4222",
    "nats://user:S3c,ret@host:4222",
    "nats://user:S3cret@host@other:4222",
    "nats://S3c/ret@host",
    "nats://user:%ffS3cret@host",
    "nats://one:4222, nats://user:S3c#ret@two:4222",
)


def refusal(value):
    try:
        servers(value)
    except ValueError as error:
        return str(error)
    return "taken"


with description("The URLs of NATS servers") as self:
    with it("are separated by commas, and have NATS' port where they give none"):
        found = servers("nats://one:7222, tls://two,wss://three/path,nats://[fd00::1]")

        expect([server.url for server in found]).to(
            equal(
                [
                    "nats://one:7222",
                    "tls://two:4222",
                    "wss://three:443/path",
                    "nats://[fd00::1]:4222",
                ]
            )
        )

    with it("have user and password percent-encoded, as Falcosidekick's have"):
        (server,) = servers("nats://falco%40shop:a%40b%3Ac%2Fd%23e%2C%25@host")

        expect(server.credentials).to(equal(("falco@shop", "a@b:c/d#e,%", "")))

    with it("have a token, which stands for itself"):
        (server,) = servers("nats://t%2Fk@host:4222")

        expect(server.credentials).to(equal(("", "", "t/k")))

    with it("have a user with an empty password, which is no token"):
        (server,) = servers("nats://user:@host")

        expect(server.credentials).to(equal(("user", "", "")))

    with it("show scheme, host and port, and nothing else"):
        (server,) = servers("wss://user:S3cret@host:4222/S3cret")

        expect(str(server)).to(equal("wss://host:4222"))
        expect(repr(server)).not_to(contain("S3cret"))
        expect(server.url).to(equal("wss://host:4222/S3cret"))
        expect(server.anonymous()).to(equal(Server("wss", "host", 4222, path="/S3cret")))

    with it("are refused where a piece of a password would be taken for something else"):
        for value in NOT_ENCODED:
            expect(refusal(value)).to(contain("URLs such as nats://"))
            expect(refusal(value)).not_to(contain("S3c"))
            expect(refusal(value)).not_to(contain("ret"))

    with it("are refused where they are none"):
        values = ("", ",", "host", "http://host", "nats://", "nats://host:x", "nats://host:99999")
        for value in (*values, "nats://host?x=1", "nats://ho st", "nats://u:p\nx@host"):
            expect(refusal(value)).to(contain("URLs such as nats://"))
