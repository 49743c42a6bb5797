import asyncio
from datetime import datetime, timezone

from expects import be_empty, contain, equal, expect, raise_error, start_with
from mamba import before, description, it
from nats.js.api import PubAck, RawStreamMsg

from playbooks.core.instant import Instant
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats.jetstream import ApiError, Overtaken
from playbooks.engines.worker.operator.dead_letters import DeadLetter, DeadLettersOf
from playbooks.engines.worker.operator.protocol import RequestFailed
from playbooks.engines.worker.work.releases import Releases

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

FUNCTION = Function("shop", "falco-delete", "uid-1")
KEY, NOW = "a-key-of-some-length", Instant(1_800_000_000 * 10**9)
RELEASES = Releases(KEY, "uid-1")


class FakeJetStream:
    """``dead``: messages of the stream of dead letters by sequence. ``calls``: changes in turn."""

    def __init__(self):
        self.dead = {}
        self.calls = []
        self.failures = {}
        self.last = 41

    def letter(self, sequence, subject="falco-dead.falco-delete", **headers):
        said = {"Function": "shop/falco-delete", "Function-Uid": "uid-1", **headers}
        self.dead[sequence] = RawStreamMsg(
            subject=subject,
            seq=sequence,
            time=datetime(2026, 11, 21, 10, 0, 1, 250_000, timezone.utc),
            headers={"traceparent": TRACE, **{f"Falco-{k}": v for k, v in said.items()}},
            data=f"body {sequence}".encode(),
        )

    async def stream(self, wanted):
        return wanted.name

    async def message(self, stream, sequence, subject=None):
        return next(
            (
                self.dead[n]
                for n in sorted(self.dead)
                if (n >= sequence and _matches(self.dead[n].subject, subject))
                or (n == sequence and subject is None)
            ),
            None,
        )

    async def delete_message(self, stream, sequence):
        self._fail("delete")
        self.calls.append(("delete", sequence))
        del self.dead[sequence]

    async def store(self, subject, body, headers, *, last):
        self._fail("store")
        if last != self.last:
            raise Overtaken(subject, f"wrong last sequence: {self.last}")
        self.calls.append(("store", subject, body, dict(headers)))
        return PubAck("FALCO_INBOX", len(self.calls))

    def _fail(self, verb):
        if verb in self.failures:
            raise self.failures[verb]


def _matches(subject, wanted):
    if wanted and wanted.endswith(".*"):
        return subject.rpartition(".")[0] == wanted[:-2]
    return subject == wanted


with description("The dead letters of a function") as self:
    with before.each:
        self.jetstream = FakeJetStream()
        self.dead_letters = DeadLettersOf(
            self.jetstream, FUNCTION, by="alice", key=KEY, now=lambda: NOW
        )

    def listed(self):
        async def go():
            await self.dead_letters.open()
            return [letter async for letter in self.dead_letters.all()]

        return asyncio.run(go())

    def put_back(self, *sequences):
        async def go():
            await self.dead_letters.open()
            return [done async for done in self.dead_letters.redeliver(sequences)]

        return asyncio.run(go())

    def drop(self, *sequences, note=lambda letter: None):
        async def go():
            await self.dead_letters.open()
            return [done async for done in self.dead_letters.drop(sequences, note)]

        return asyncio.run(go())

    with it("lists the letters of its function, oldest first"):
        self.jetstream.letter(4, Reason="b")
        self.jetstream.letter(2, Reason="a")
        self.jetstream.letter(3, subject="falco-dead.falco-slack")

        expect([(letter.sequence, letter.says("Reason")) for letter in self.listed()]).to(
            equal([(2, "a"), (4, "b")])
        )

    with it("passes over a function of the same name in another namespace"):
        self.jetstream.letter(2, Function="other/falco-delete")
        self.jetstream.letter(3)

        expect([letter.sequence for letter in self.listed()]).to(equal([3]))

    with it("has the letter as it is"):
        self.jetstream.letter(2, Message="a: b")
        (letter,) = self.listed()

        expect(letter).to(
            equal(
                DeadLetter(
                    "falco-dead.falco-delete",
                    2,
                    "2026-11-21T10:00:01.250000Z",
                    {
                        "traceparent": TRACE,
                        "Falco-Function": "shop/falco-delete",
                        "Falco-Function-Uid": "uid-1",
                        "Falco-Message": "a: b",
                    },
                    b"body 2",
                )
            )
        )

    with it("stores an alert again in the function's inbox, and only then removes the letter"):
        self.jetstream.letter(2)

        expect(self.put_back()).to(
            equal([{"id": 2, "status": "redelivered", "as": "FALCO_INBOX:1"}])
        )
        stored, removed = self.jetstream.calls
        expect(stored[:3]).to(equal(("store", "falco-inbox.uid-1", b"body 2")))
        expect(removed).to(equal(("delete", 2)))

    with it("gives it a name by which it is stored once, who released it, and the alert's headers"):
        self.jetstream.letter(2)
        self.put_back()

        expect(self.jetstream.calls[0][3]).to(
            equal(
                {
                    "traceparent": TRACE,
                    **RELEASES.signed(
                        "alice", b"body 2", stream="FALCO_INBOX", sequence=42, now=NOW
                    ),
                    "Nats-Msg-Id": "dead-FALCO_DEAD-2-2026-11-21T10:00:01.250000Z",
                }
            )
        )

    with it("redelivers nothing where the worker has no key to sign it with, and says so"):
        self.jetstream.letter(2)
        self.dead_letters = DeadLettersOf(self.jetstream, FUNCTION, by="alice")

        expect(lambda: self.put_back()).to(
            raise_error(RequestFailed, contain("no key to sign releases with: deploy it again"))
        )
        expect(self.jetstream.calls).to(be_empty)

    with it("removes nothing that is not stored"):
        self.jetstream.letter(2)
        self.jetstream.failures["store"] = ApiError({"description": "maximum bytes exceeded"})

        expect(lambda: self.put_back()).to(raise_error(ApiError))
        expect(self.jetstream.calls).to(be_empty)
        expect(list(self.jetstream.dead)).to(equal([2]))

    with it("stops at a letter that is stored again and cannot be removed, and says so"):
        self.jetstream.letter(2)
        self.jetstream.letter(3)
        self.jetstream.failures["delete"] = ApiError({"description": "not allowed"})

        expect(lambda: self.put_back()).to(
            raise_error(
                RequestFailed,
                start_with("2 is redelivered as FALCO_INBOX:1, and is still"),
            )
        )
        expect([call[0] for call in self.jetstream.calls]).to(equal(["store"]))

    with it("puts back those that are named alone"):
        for sequence in (2, 3, 4):
            self.jetstream.letter(sequence)
        self.put_back(4, 2)

        expect(list(self.jetstream.dead)).to(equal([3]))

    with it("puts nothing back where one that is named is not there"):
        self.jetstream.letter(2)
        self.jetstream.letter(3, Function="other/falco-delete")

        expect(lambda: self.put_back(2, 3, 99)).to(
            raise_error(
                RequestFailed, start_with("3, 99: no dead letter of shop/falco-delete, expected")
            )
        )
        expect(self.jetstream.calls).to(be_empty)

    with it("keeps what was cut: it is no alert any more"):
        self.jetstream.letter(2, Cut="9000000 bytes")
        (done,) = self.put_back()

        expect(done["status"]).to(equal("kept"))
        expect(done["why"]).to(contain("9000000 bytes"))
        expect(self.jetstream.calls).to(be_empty)

    with it("puts back letters of an earlier Function only where they are named"):
        self.jetstream.letter(2, **{"Function-Uid": "uid-0"})

        expect([done["status"] for done in self.put_back()]).to(equal(["kept"]))
        expect([done["status"] for done in self.put_back(2)]).to(equal(["redelivered"]))

    with it("drops those that are named alone, whatever they are, and puts nothing back"):
        self.jetstream.letter(2, Reason="invalid-alert")
        self.jetstream.letter(3, Cut="9000000 bytes", **{"Function-Uid": "uid-0"})
        self.jetstream.letter(4)

        expect(self.drop(2, 3)[0]).to(
            equal({"id": 2, "status": "dropped", "why": "it was invalid-alert"})
        )
        expect(self.jetstream.calls).to(equal([("delete", 2), ("delete", 3)]))

    with it("drops all of its Function's, and none of an earlier one's, where none is named"):
        self.jetstream.letter(2)
        self.jetstream.letter(3, **{"Function-Uid": "uid-0"})

        expect([done["status"] for done in self.drop()]).to(equal(["dropped", "kept"]))
        expect(list(self.jetstream.dead)).to(equal([3]))

    with it("drops nothing where one that is named is not there"):
        self.jetstream.letter(2)

        expect(lambda: self.drop(2, 99)).to(
            raise_error(RequestFailed, start_with("99: no dead letter"))
        )
        expect(self.jetstream.calls).to(be_empty)

    with it("drops what is on record only, and puts it there first"):
        self.jetstream.letter(2)
        noted = []
        self.drop(2, note=lambda letter: noted.append((letter.sequence, *self.jetstream.calls)))
        self.jetstream.letter(3)

        def no_log(letter):
            raise RequestFailed("no log")

        expect(noted).to(equal([(2,)]))
        expect(lambda: self.drop(3, note=no_log)).to(raise_error(RequestFailed, "no log"))
        expect(list(self.jetstream.dead)).to(equal([3]))
