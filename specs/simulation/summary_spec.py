import io
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

from expects import be_empty, contain, equal, expect, have_len
from mamba import before, description, it
from rich.console import Console

from playbooks.core import catalogue
from playbooks.core.ledger.limits import Limits
from playbooks.core.subjects import Priority
from playbooks.simulation.replay import replay
from playbooks.simulation.report import page, show
from playbooks.simulation.summary import summarize
from specs.simulation.mothers import DEPLOYED, a_body, bodies

LIMITS = Limits(10, 30, None, 1, 600.0)


def summarized(given, limits=LIMITS, least=Priority.DEBUG):
    replayed = replay(catalogue.load("delete"), {}, ["falco.>"], given)
    return summarize("delete", ["falco.>"], replayed, limits, least)


def tried(found, setting, value):
    (one,) = [w for w in found.what_if if (w.setting, w.value) == (setting, value)]
    return one.acted, one.held


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


with description("The summary of a simulation") as self:
    with before.all:
        self.found = summarized(
            [*bodies(12), *bodies(2, prefix="b", namespace="bank", priority="Error")]
        )

    with it("counts what would have happened"):
        found = self.found

        expect((found.alerts, found.acted, found.held, found.skipped)).to(equal((14, 12, 2, 0)))

    with it("has a row for each rule on each workload, with the reasons of what was skipped"):
        rows = {(row.namespace, row.workload): row for row in self.found.rows}

        expect(rows["shop", "pod pod0"].acted).to(equal(1))
        expect(rows["shop", "pod pod11"].skipped).to(equal({"budget-used-up": 1}))

    with it("has the most that was wanted within a window against its cap, of all and of each"):
        peaks = [(peak.namespace, peak.wanted, peak.cap) for peak in self.found.peaks]

        expect(peaks).to(equal([("(all)", 14, 30), ("shop", 12, 10), ("bank", 2, 10)]))

    with it("counts the most of any window, not of all time"):
        found = summarized(bodies(4, seconds=400))

        expect(found.peaks[0].wanted).to(equal(2))

    with it("says which budget would have tripped, when, and how much was held then"):
        (tripped,) = self.found.tripped

        expect((tripped.namespace, tripped.at[:19], tripped.held)).to(
            equal(("shop", "2026-01-02T03:00:10", 2))
        )

    with it("tells what waits for a window from what a budget stops until it is reset"):
        given = [a_body(pod=f"p-{n}", uid=f"{n}", namespace=f"n{n % 3}") for n in range(9)]
        replayed = replay(catalogue.load("delete"), {"MAX_ACTIONS_ALL": "3"}, ["falco.>"], given)
        found = summarize("delete", ["falco.>"], replayed, LIMITS, Priority.DEBUG)

        expect((found.acted, found.held, found.waits)).to(equal((3 + 2, 4, 4)))
        expect(found.tripped).to(be_empty)
        console = Console(file=io.StringIO(), width=200)
        show(found, console)
        expect(console.file.getvalue()).to(contain("held 4 (4 until the window of a limit allows"))

    with it("has the workloads that are affected most, whatever the pods are called"):
        pods = [a_body(pod=DEPLOYED + end, uid=end) for end in ("x2x4k", "b7c9d", "zzzzz")]
        found = summarized([*pods, a_body(pod="db-0", uid="db")])

        expect(found.workloads).to(equal([("shop/Deployment web", 3), ("shop/StatefulSet db", 1)]))

    with it("has ten workloads at most"):
        expect(self.found.workloads).to(have_len(10))

    with it("says what a stricter minimum priority or cap would have changed"):
        expect(tried(self.found, "MINIMUM_PRIORITY", "Error")).to(equal((2, 0)))
        expect(tried(self.found, "MAX_ACTIONS", "5")).to(equal((7, 7)))

    with it("tries nothing that is not stricter"):
        found = summarized([a_body()], Limits(3, None, None, None, 600.0), Priority.ERROR)

        expect([w.value for w in found.what_if]).to(equal(["Critical", "Alert", "Emergency", "1"]))

    with it("is JSON"):
        expect(json.loads(json.dumps(asdict(self.found)))["acted"]).to(equal(12))

    with it("has a timeline that adds up"):
        bars = self.found.timeline

        expect(sum(bar.acted for bar in bars)).to(equal(12))
        expect(sum(bar.acted + bar.held + bar.skipped for bar in bars)).to(equal(14))

    with it("is of nothing where there were no alerts"):
        found = summarized([])

        expect((found.alerts, found.timeline, found.tripped)).to(equal((0, [], [])))
        expect(page(found)).to(contain("no alerts; 0 more match no topic"))

    with description("as a page"):
        with before.all:
            rule = "<script>alert(1)</script>"
            self.page = page(summarized([a_body(rule=rule), *bodies(3)]))
            self.tags = Tags()
            self.tags.feed(self.page)

        with it("stands alone: it loads nothing from anywhere"):
            names = [tag for tag, _ in self.tags.found]

            expect({"script", "link", "img", "iframe"} & set(names)).to(be_empty)
            expect([a for _, a in self.tags.found if {"src", "href"} & set(a)]).to(be_empty)
            expect(re.findall(r"url\(|@import", self.page)).to(be_empty)

        with it("shows an alert's words as words"):
            expect(self.page).to(contain("&lt;script&gt;alert(1)&lt;/script&gt;"))

        with it("has no character of an alert that turns the direction of what follows"):
            expect(page(summarized([a_body(rule="a\u202eb")]))).not_to(contain("\u202e"))

        with it("draws the timeline, each bar with its numbers"):
            bars = [attrs for tag, attrs in self.tags.found if tag == "rect"]

            expect(bars).to(have_len(3))
            expect(self.page).to(contain(": 2 acted"))

        with it("has axes: alerts from 0 to the highest bar, and dates to the minute"):
            marks = re.findall(r"<text[^>]*>([^<]*)</text>", page(self.found))

            expect(marks[:2]).to(equal(["0", "1"]))
            expect(marks[-6:-5]).to(equal(["2026-01-02 03:00"]))
            expect(marks[-6:]).to(equal(sorted(marks[-6:])))

        with it("says with which settings it ran, and what was left out"):
            found = replace(
                self.found, settings={"RULES": "<b>*"}, source="deployed", left_out=["DRY_RUN=true"]
            )

            expect(page(found)).to(
                contain("<p>Settings: RULES=&lt;b&gt;* (deployed).</p>", "Left out: DRY_RUN=true.")
            )

        with it("has a table for what there is, and none for what there is not"):
            titles = re.findall("<h2>(.*)</h2>", self.page)

            expect(titles).to(contain("When", "What would have happened"))
            expect(titles).not_to(contain("Budgets that would have tripped"))
            expect(page(self.found)).to(contain("<h2>Budgets that would have tripped</h2>"))

    with description("on a terminal"):

        def shown(self, found):
            console = Console(file=io.StringIO(), width=160)
            show(found, console)
            return console.file.getvalue()

        with it("counts first, then has the tables"):
            text = self.shown(self.found)

            expect(text).to(
                contain(
                    "would have acted 12 times (12 are deletions, done when the pod",
                    "is gone), held 2",
                    "budget-used-up 1",
                    "(all)",
                )
            )

        with it("shows an alert's words as words, and steers no terminal"):
            text = self.shown(summarized([a_body(rule="[bold]\u202ered")]))

            expect(text).to(contain("[bold]"))
            expect(text).not_to(contain("\u202e"))

        with it("has thirty rows of a table at most, and says how many are left"):
            given = [a_body(rule=f"rule {n}", uid=f"u-{n}") for n in range(33)]

            expect(self.shown(summarized(given))).to(contain("(3 more rows: --output json or html"))
