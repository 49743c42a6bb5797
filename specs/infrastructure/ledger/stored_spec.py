import threading
from unittest.mock import patch

from expects import be, be_empty, contain, equal, expect, have_len, raise_error
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable, Conflict, NotFound, PlaybookError, Unexpected
from playbooks.core.instant import after
from playbooks.core.ledger.book import Request
from playbooks.core.ledger.counts import GRAIN
from playbooks.core.ledger.limits import Limits
from playbooks.infrastructure import ledger as stored
from playbooks.infrastructure.ledger import ATTEMPTS, FRESH, change, read
from playbooks.testing import NOW, InMemoryLedger
from specs.infrastructure.ledger.limited import Limited

LIMITS = Limits(10, 30, None, None, 600.0)
OFF = Limits(None, None, None, None, 600.0)


def a_request(number=0, **changes):
    return Request(**{"uid": f"uid-{number}", "namespace": "shop", "alert_time": NOW, **changes})


class HeldLedger(InMemoryLedger):
    """Its first write waits until it is let go."""

    def __init__(self):
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def write(self, text, *, version):
        self.begun.set()
        self.go.wait(10)
        return super().write(text, version=version)


class Stopped(BaseException):
    pass


with description("The ledger") as self:
    with before.each:
        self.store, self.seconds, self.pauses = InMemoryLedger(), 0.0, []

    def ledger(self, store=None, limits=LIMITS):
        return Limited(
            store or self.store, limits, clock=lambda: self.seconds, sleep=self.pauses.append
        )

    def together(self, store, number):
        """What ``number`` threads are told that ask while another one is writing."""
        ledger, told = self.ledger(store), []

        def ask(request):
            try:
                told.append(ledger.ask(request, NOW))
            except BaseException as error:
                told.append(error)

        threads = [threading.Thread(target=ask, args=(a_request(n),)) for n in range(number + 1)]
        threads[0].start()
        store.begun.wait(10)
        for thread in threads[1:]:
            thread.start()
        while len(ledger._waiting) < number:
            pass
        store.go.set()
        for thread in threads:
            thread.join(10)
        return told

    with it("grants no place that took so long to write that its window would end too soon"):
        spec = self

        class SlowLedger(InMemoryLedger):
            def write(self, text, *, version):
                spec.seconds += GRAIN + 1
                return super().write(text, version=version)

        slow = SlowLedger()

        expect(lambda: self.ledger(slow).ask(a_request(), NOW)).to(
            raise_error(Conflict, contain("11 s to be written"))
        )
        slow_no_more = InMemoryLedger(slow.text)

        expect(self.ledger(slow_no_more).ask(a_request(), after(NOW, 12)).words).to(
            contain("counted already")
        )

    with it("grants what is written"):
        expect(self.ledger().ask(a_request(), NOW).reason).to(equal(""))
        expect(self.store.calls).to(equal(["read", "write"]))

    with it("writes on from what it wrote last, however long ago, where nobody wrote since"):
        ledger = self.ledger()
        for number in range(3):
            ledger.ask(a_request(number), NOW)
            self.seconds += FRESH + 0.1

        expect(ledger.ask(a_request(3), NOW).words).to(contain("4 of 10"))
        expect(self.store.calls).to(equal(["read", "write", "write", "write", "write"]))

    with it("reads it again, once that is no longer fresh, for an answer that writes nothing"):
        ledger = self.ledger(limits=OFF)
        ledger.ask(a_request(), NOW)
        self.seconds += FRESH
        ledger.ask(a_request(), NOW)
        expect(self.store.calls).to(equal(["read"]))

        change(self.store, lambda book: book.pause("ada", NOW))
        self.seconds += 0.1
        expect(ledger.ask(a_request(), NOW).reason).to(equal("paused"))

    with it("reads it again where the one that it wrote to is gone: there may be another"):
        ledger = self.ledger()
        ledger.ask(a_request(0), NOW)
        self.store.failures = [NotFound("configmaps falco-delete")]

        expect(ledger.ask(a_request(1), NOW).words).to(contain("2 of 10"))
        expect(self.store.calls[-3:]).to(equal(["write", "read", "write"]))

    with it("reads it again where somebody else wrote it first"):
        ledger, other = self.ledger(), self.ledger()
        ledger.ask(a_request(0), NOW)
        other.ask(a_request(1), NOW)
        answer = ledger.ask(a_request(2), NOW)

        expect(answer.words).to(contain("3 of 10"))
        expect(self.store.calls[-3:]).to(equal(["write", "read", "write"]))

    with it("obeys a pause of which it has not heard before it grants"):
        ledger = self.ledger()
        ledger.ask(a_request(0), NOW)
        change(self.store, lambda book: book.pause("ada", NOW))

        expect(ledger.ask(a_request(1), NOW).reason).to(equal("paused"))

    with it("hears of being resumed once what it knows is no longer fresh"):
        ledger = self.ledger()
        change(self.store, lambda book: book.pause("ada", NOW))
        ledger.ask(a_request(), NOW)
        change(self.store, lambda book: book.resume())
        expect(ledger.ask(a_request(), NOW).reason).to(equal("paused"))

        self.seconds += FRESH + 0.1
        expect(ledger.ask(a_request(), NOW).reason).to(equal(""))

    with it("writes nothing for a refusal, but the one that trips"):
        ledger = self.ledger(limits=Limits(1, None, None, None, 600.0))
        for number in range(4):
            ledger.ask(a_request(number), NOW)

        expect(self.store.calls).to(equal(["read", "write", "write"]))

    with it("gives up where others keep writing"):
        self.store.write = lambda text, version: (_ for _ in ()).throw(Conflict("written"))

        expect(lambda: self.ledger().ask(a_request(), NOW)).to(raise_error(Conflict))
        expect(self.store.calls).to(equal(["read"] * ATTEMPTS))
        expect(self.pauses).to(have_len(ATTEMPTS - 1))

    with it("raises what the store does, and then reads again"):
        ledger = self.ledger()
        ledger.ask(a_request(0), NOW)
        self.store.failures = [ClusterUnavailable("no answer")]

        expect(lambda: ledger.ask(a_request(1), NOW)).to(raise_error(ClusterUnavailable))
        expect(ledger.ask(a_request(1), NOW).words).to(contain("2 of 10"))
        expect(self.store.calls[-2:]).to(equal(["read", "write"]))

    with it("counts an action once whose answer was lost"):
        write = self.store.write

        def lost(text, *, version):
            write(text, version=version)
            self.store.write = write
            raise ClusterUnavailable("no answer")

        self.store.write = lost
        ledger = self.ledger()

        expect(lambda: ledger.ask(a_request(), NOW)).to(raise_error(ClusterUnavailable))
        expect(ledger.ask(a_request(), NOW).words).to(equal("counted already within 10m"))
        expect(ledger.ask(a_request(1), NOW).words).to(contain("2 of 10"))

    with it("counts from when it is written, not from when it was asked for"):
        ledger, read_once = self.ledger(), self.store.read

        def slow():
            self.seconds += 30
            return read_once()

        self.store.read = slow
        ledger.ask(a_request(), NOW)

        expect(list(read(self.store.text)._counts.content)).to(
            equal([str(after(NOW, 30).seconds // 10 * 10)])
        )

    with it("refuses to go by a text that is no book"):
        for text in ("no book", "[]", "1", "null", '{"version": 2}', "[" * 100_000):
            store = InMemoryLedger(text)
            expect(lambda store=store: self.ledger(store).ask(a_request(), NOW)).to(
                raise_error(PlaybookError)
            )
            expect(store.text).to(equal(text))

    with it("writes once for all that ask while it is being written"):
        store = HeldLedger()
        told = self.together(store, 8)

        expect([answer.reason for answer in told]).to(equal([""] * 9))
        expect(store.calls).to(equal(["read", "write", "write"]))

    with it("waits for as many as were under way when it was written last, and only a moment"):
        store = HeldLedger()
        ledger, asks = self.ledger(store), []
        for number in range(4):
            asks.append(threading.Thread(target=ledger.ask, args=(a_request(number), NOW)))
        asks[0].start()
        store.begun.wait(10)
        for ask in asks[1:]:
            ask.start()
        while len(ledger._waiting) < 3:
            pass
        with patch.object(stored, "GATHERING", 60.0):
            store.go.set()
            asks[0].join(10)
            answer = ledger.ask(a_request(4), NOW)

        expect(answer.words).to(contain("5 of 10"))
        expect(store.calls).to(equal(["read", "write", "write"]))
        expect(ledger.ask(a_request(5), NOW).words).to(contain("6 of 10"))

    with it("has an answer for everybody, whatever goes wrong"):
        for error in (ClusterUnavailable("no answer"), KeyError("bug"), Stopped()):
            store = HeldLedger()
            held = store.write

            # The write of the eight fails, not that of the one before them.
            def write(text, *, version, held=held, store=store, error=error):
                if "write" in store.calls:
                    raise error
                return held(text, version=version)

            store.write = write
            told = self.together(store, 8)
            failed = [t for t in told if isinstance(t, BaseException)]

            expect(told).to(have_len(9))
            expect(failed).to(have_len(8))
            if isinstance(error, PlaybookError):
                expect(failed[0]).to(be(error))
            else:
                expect([e for e in failed if e is not error and not isinstance(e, Unexpected)]).to(
                    be_empty
                )

    with it("tells what the answer would be without writing"):
        expect(self.ledger().look(a_request(), NOW).words).to(contain("1 of 10"))
        expect(self.store.calls).to(equal(["read"]))


with description("A person's change of the ledger") as self:
    with it("is tried again where somebody wrote it meanwhile"):
        store = InMemoryLedger()
        write, tries = store.write, []

        def once(text, *, version):
            tries.append(version)
            if len(tries) == 1:
                raise Conflict("written")
            return write(text, version=version)

        store.write = once
        change(store, lambda book: book.pause("ada", NOW))

        expect(tries).to(have_len(2))
        expect(read(store.text).paused["by"]).to(equal("ada"))

    with it("writes nothing where nothing changes"):
        store = InMemoryLedger()
        change(store, lambda book: book.resume())

        expect(store.calls).to(equal(["read"]))

    with it("does not touch what is no book"):
        store = InMemoryLedger("no book")

        expect(lambda: change(store, lambda book: book.resume())).to(raise_error(Unexpected))
