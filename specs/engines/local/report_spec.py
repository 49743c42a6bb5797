import io
import json
from dataclasses import replace

from expects import be_below_or_equal, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import InvalidAlert, NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.engines.local.report import Report
from playbooks.testing import a_document

ACTED = Outcome.acted("pod shop/web-0", "done", "deletion accepted of pod shop/web-0")
BODY = json.dumps(a_document()).encode()


with description("The report") as self:
    with before.each:
        self.output = io.StringIO()
        self.report = Report(self.output, 120)

    def lines(self):
        return self.output.getvalue().splitlines()

    with it("has time, priority, rule, status and target, then the message"):
        self.report.add(BODY, "a:1", ACTED)

        expect(self.lines()[-2].split()[:2]).to(equal(["2026-01-02", "03:00:00"]))
        expect(self.lines()[-2]).to(contain("Notice", "Terminal shell in container", "acted"))
        expect(self.lines()[-2]).to(contain("pod shop/web-0"))
        expect(self.lines()[-1].strip()).to(equal("deletion accepted of pod shop/web-0"))

    with it("has one line where there is no target and little to say"):
        self.report.add(BODY, "a:1", Outcome.skipped("no-pod", "the alert is about no pod"))

        expect(self.lines()[1:]).to(have_len(2))
        expect(self.lines()[-1]).to(contain("the alert is about no pod"))

    with it("wraps a long message under its line"):
        self.report.add(BODY, "a:1", Outcome.skipped("why", "a reason " * 40))

        for line in self.lines():
            expect(len(line)).to(be_below_or_equal(120))

    with it("says where a line stands that is no alert"):
        self.report.add(b"{", "alerts.jsonl:7", Outcome.failed(InvalidAlert("not JSON")))

        expect(self.lines()[-2]).to(contain("(no alert)", "failed", "alerts.jsonl:7"))

    with it("lets no alert steer the terminal"):
        body = json.dumps(a_document(rule="\x1b[2Jrule\nacted")).encode()
        self.report.add(body, "a:1", Outcome.skipped("why", "\x1b[31mred\u202e"))

        expect(self.output.getvalue()).not_to(contain("\x1b"))
        expect(self.output.getvalue()).not_to(contain("\u202e"))

    with it("has a tree of the checks that led to an outcome where that is asked for"):
        report = Report(self.output, 120, reasons=True)
        why = ("rule 'x' is one of RULES", "answer " * 20, "deletion accepted of pod shop/web-0")
        report.add(BODY, "a:1", replace(ACTED, why=why))

        expect([line.strip() for line in self.lines()[3:]]).to(
            equal(
                [
                    "\u251c\u2500 rule 'x' is one of RULES",
                    "\u251c\u2500 " + ("answer " * 13).strip(),
                    "\u2502  " + ("answer " * 7).strip(),
                    "\u2514\u2500 deletion accepted of pod shop/web-0",
                ]
            )
        )

    with it("has its message alone where it is not"):
        self.report.add(BODY, "a:1", replace(ACTED, why=("a check", ACTED.message)))

        expect(self.output.getvalue()).not_to(contain("a check"))

    with it("has a tree that ASCII can draw"):
        raw = io.BytesIO()
        output = io.TextIOWrapper(raw, "ascii")
        Report(output, 120, reasons=True).add(BODY, "a", replace(ACTED, why=("one", "two")))

        expect(raw.getvalue().decode().splitlines()[-2:]).to(
            equal([" " * 21 + "|- one", " " * 21 + "`- two"])
        )

    with it("counts alerts that failed apart from lines that are none"):
        self.report.add(BODY, "a:1", ACTED)
        self.report.add(BODY, "a:2", Outcome.failed(NotPermitted("no")))
        self.report.add(b"{", "a:3", Outcome.failed(InvalidAlert("not JSON")))
        self.report.summary()

        expect(self.lines()[-1]).to(contain("3 alerts in", "1 acted, 2 failed (1 no alert)"))

    with it("has colours only where they are asked for"):
        self.report.add(BODY, "a:1", ACTED)
        coloured = io.StringIO()
        Report(coloured, 120, colours=True).add(BODY, "a:1", ACTED)

        expect("\033[" in self.output.getvalue()).to(equal(False))
        expect(coloured.getvalue()).to(contain("\033[1;32macted"))

    with it("can be written where letters are ASCII only"):
        raw = io.BytesIO()
        output = io.TextIOWrapper(raw, "ascii")
        Report(output, 120).say("détection")

        expect(raw.getvalue()).to(equal(b"d?tection\n"))
