import json

from expects import contain, equal, expect, have_len, raise_error
from mamba import description, it

from playbooks.core.instant import Instant
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.limits import Limits

NOW = Instant.parse("2026-01-02T03:04:05Z")
LIMITS = Limits(1, None, None, None, 600.0)


def a_book(**content):
    return Book(json.dumps({"version": 1, **content}))


def ask(book, uid="uid-1", namespace="shop"):
    return book.ask(Request(uid, namespace, NOW), LIMITS, NOW)


with description("An entry of a ledger that cannot be read") as self:
    with it("is dropped, and costs no other entry"):
        for entry in (
            {"undone": {"uid-9": 5}},
            {"undone": {"uid-9": {"until": "never"}}},
            {"resets": {"shop": {"by": "eve", "at": "soon"}}},
            {"tainting": {"worker-1": None}},
            {"actions": {"long ago": {}}},
            {"actions": {"1767322800": {"shop": [1]}}},
            {"resets": "all of them"},
            {"actions": [1]},
            {"tripped": [1]},
        ):
            book = a_book(**{"undone": {}, **entry})

            expect((book.dropped, book.changed)).to(equal((book.dropped[:1], True)))
            expect(ask(book).reason).to(equal(""))
            expect(Book(book.text()).dropped).to(equal(()))

    with it("goes on stopping where it stopped the playbook"):
        paused, tripped = a_book(paused="yes"), a_book(tripped={"shop": {}})

        expect(ask(paused).reason).to(equal("paused"))
        expect(ask(tripped).reason).to(equal("budget-used-up"))
        expect(ask(tripped, namespace="other").reason).to(equal(""))

    with it("goes on holding where only whose it is cannot be read"):
        at = "2026-01-03T00:00:00Z"
        for entry, said in (
            ({"undone": {"uid-1": {"until": at}}}, f"somebody released it; no action until {at}"),
            (
                {"resets": {"shop": {"at": at}}},
                f"the alert is from before the reset by somebody at {at}",
            ),
        ):
            expect(ask(a_book(**entry)).words).to(equal(said))

    with it("is named"):
        expect(a_book(tripped={"shop": 7}).dropped).to(have_len(1))
        expect(a_book(tripped={"shop": 7}).dropped[0]).to(contain("tripped of shop: 7"))

    with it("is no excuse for a text that is no ledger at all"):
        for text in ("[]", '{"version": 2}', "x"):
            expect(lambda text=text: Book(text)).to(raise_error(ValueError))
