import re
from pathlib import Path

from expects import contain, equal, expect
from mamba import description, it

from playbooks.core import guards
from playbooks.core.guards.exempt import Exemptions
from playbooks.core.guards.guard import Case
from playbooks.core.guards.stale import StaleAlerts
from playbooks.core.instant import after
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.limits import SETTINGS, Limits
from playbooks.core.settings import read
from playbooks.testing import NOW, InMemoryCluster, a_namespace, a_pod, an_action, an_alert

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "guards.md").read_text(encoding="utf-8")
PASSES, HELD = (
    set(re.findall(r"`([a-z-]+)`", re.search(rf"^\| {words}.*$", PAGE, re.MULTILINE).group()))
    for words in ("passes", "is held again")
)
LATER = after(NOW, 60)


def of_alerts(age, *, by):
    case = Case(an_alert(), after(an_alert().time, age), by)
    return StaleAlerts(600.0).of_alert(case)


def exempt(*, by):
    until = str(after(NOW, 3600))
    annotations = {"falco/exempt": "delete", "falco/exempt-until": until}
    cluster = InMemoryCluster(a_pod(), a_namespace("shop", annotations))
    return Exemptions("delete", cluster, False).of_action(
        Case(an_alert(), NOW, by), an_action(a_pod())
    )


def of_book(prepare, *, by, most="10", **request):
    settings = read(SETTINGS, {"MAX_ACTIONS": most, "ESCALATE_AFTER": "1"})
    book, limits = Book(), Limits.of(settings)
    prepare(book, limits)
    asked = {"uid": "uid-1", "namespace": "shop", "alert_time": NOW, **request}
    return book.ask(Request(**asked, released=bool(by)), limits, LATER)


def again(book, limits):
    book.ask(Request("uid-0", "shop", NOW, rule="R", maker="ReplicaSet web u"), limits, NOW)


# What each refuses, by its reason code; ``by``: the person who released the alert.
REFUSED = {
    "stale-alert": lambda by: of_alerts(3600, by=by),
    "alert-from-the-future": lambda by: of_alerts(-3600, by=by),
    "exempt": exempt,
    "paused": lambda by: of_book(lambda book, _: book.pause("ada", NOW), by=by),
    "before-reset": lambda by: of_book(lambda book, _: book.reset("shop", "ada", LATER), by=by),
    "undone": lambda by: of_book(
        lambda book, _: book.leave_alone("uid-1", "taint", "ada", after(LATER, 60)), by=by
    ),
    "recurring": lambda by: of_book(again, by=by, rule="R", maker="ReplicaSet web u"),
    "owner-limit": lambda by: of_book(
        lambda *_: None, by=by, workload="Deployment web", replicas=3, pods=3
    ),
    "node-limit": lambda by: of_book(lambda *_: None, by=by, node="n1", contained=("n2",)),
    "budget-used-up": lambda by: of_book(
        lambda book, limits: book.ask(Request("uid-0", "shop", NOW), limits, NOW), by=by, most="1"
    ),
}


with description("What a person released") as self:
    with it("passes the guards that the page names, and is refused by the others again"):
        for code, ask in REFUSED.items():
            expect((code, ask(by="").reason)).to(equal((code, code)))
            expect((code, ask(by="ada").reason)).to(equal((code, "" if code in PASSES else code)))

    with it("is told of each guard that holds the action upon a proven target"):
        declared = {code for guard in guards.ORDER for code in guard.REASONS if guard.HOLDS}
        filters = {
            *("another-cluster", "below-minimum-priority", "rule-not-listed"),
            *("namespace-not-listed", "when-false", "own-account"),
        }

        expect(PASSES & HELD).to(equal(set()))
        expect(PASSES | HELD).to(equal(declared - filters))
        expect(set(REFUSED)).to(contain(*PASSES))
