from expects import be_empty, contain, equal, expect
from mamba import description, it

from playbooks.core.instant import Instant
from playbooks.engines.worker.nats.delivery import Origin
from playbooks.engines.worker.work.releases import Releases

NOW = Instant(1_800_000_000 * 10**9)
BODY = b'{"rule": "Shell"}'
KEY = "a-key-of-some-length"


def later(seconds):
    return Instant(NOW.nanoseconds + seconds * 10**9)


def signed(key=KEY, uid="uid-1", by="alice", body=BODY, sequence=7):
    return Releases(key, uid).signed(by, body, stream="FALCO_INBOX", sequence=sequence, now=NOW)


def refusal(headers, body=BODY, stream="FALCO_INBOX", sequence=7, stored=NOW, key=KEY):
    return Releases(key, "uid-1").refusal(headers, body, Origin(stream, sequence, stored, 1))


with description("A release") as self:
    with it("counts where it is signed with the key of the function"):
        expect(refusal(signed())).to(be_empty)
        expect(signed()["Falco-Released-By"]).to(equal("alice"))

    with it("does not count without a signature, or with another key's"):
        expect(refusal({"Falco-Released-By": "alice"})).to(equal("it is not signed"))
        expect(refusal(signed(key="another-key-of-length"))).to(contain("forged or replayed"))
        expect(refusal({**signed(), "Falco-Release-Signature": "\xfc"})).to(contain("forged"))

    with it("counts for this alert, person, time and Function only"):
        for headers, body in (
            (signed(), b"{}"),
            ({**signed(), "Falco-Released-By": "mallory"}, BODY),
            ({**signed(), "Falco-Released-At": str(later(60))}, BODY),
            ({**signed(), "Falco-Released-At": ""}, BODY),
            (signed(uid="uid-2"), BODY),
        ):
            expect(refusal(headers, body)).to(contain("forged or replayed"))

    with it("counts once: stored again it lies elsewhere in the stream"):
        expect(refusal(signed(), sequence=8)).to(contain("forged or replayed"))
        expect(refusal(signed(), stream="FALCO")).to(contain("forged or replayed"))

    with it("expires, also at the same place of a stream that was made anew"):
        expect(refusal(signed(), stored=later(299))).to(be_empty)
        expect(refusal(signed(), stored=later(301))).to(contain("it expired"))
        expect(refusal(signed(), stored=later(-301))).to(contain("it expired"))

    with it("does not count where the worker has no key: with none, anybody could sign"):
        expect(refusal(signed(key=""), key="")).to(contain("deploy it again"))
