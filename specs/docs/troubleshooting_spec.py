import ast
import json
import re
import subprocess
from pathlib import Path

from expects import be_above, be_false, be_true, equal, expect
from mamba import description, it

from playbooks.core import errors, guards
from playbooks.core.errors import PlaybookError
from specs.docs.messages import MARK, is_printed, templates
from specs.docs.worker_log import logged
from specs.support.conditions import not_run_unless, program
from specs.support.sources import nodes_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")

# The first cell of each row that has a message, and the messages that texts quote.
MESSAGES = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
QUOTED = (
    "connected to NATS (<servers>)",
    "the API server is back",
    "rolled back: the function is as it was before; what -S sets up stays",
)


def declared_reasons():
    """Of the guards, of errors, and of the outcomes that proof and reactions skip with."""
    of_guards = {reason for guard in guards.ORDER for reason in guard.REASONS}
    declared = [each for each in below(PlaybookError) if each.__module__ == errors.__name__]
    of_errors = {each.reason for each in declared} - {PlaybookError.reason}
    package = DOCS.parent / "playbooks"
    files = [package / "core" / "proof.py", *(package / "reactions").rglob("*.py")]
    return of_guards | of_errors | {code for path in files for code in skipped_with(path)}


def below(kind):
    found = kind.__subclasses__()
    return [*found, *(each for one in found for each in below(one))]


def _name(called):
    """The last part of it."""
    return getattr(called, "attr", None) or getattr(called, "id", "")


def skipped_with(path):
    """The codes in calls such as ``Outcome.skipped("pod-gone", ...)``."""
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and _name(node.func).endswith("skipped"):
            for given in node.args:
                if re.fullmatch(r"'[a-z]+(-[a-z]+)*'", ast.unparse(given)):
                    yield given.value


with description("The page about troubleshooting") as self:
    with it("has messages that the software prints, and no others"):
        texts = templates()

        expect([m for m in MESSAGES if not is_printed(m, texts)]).to(equal([]))
        expect(len(MESSAGES)).to(be_above(25))

    with it("quotes what the software prints elsewhere, too"):
        texts = templates()

        expect([m for m in QUOTED if not is_printed(m, texts)]).to(equal([]))

    with it("has no message twice"):
        expect(sorted(set(MESSAGES))).to(equal(sorted(MESSAGES)))

    with it("has every reason code why an alert was not acted upon, and no other"):
        table = PAGE.partition("| `reason` | It means | Do |")[2].partition("\n## ")[0]
        cells = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
        told = [code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)]
        texts = templates()

        expect(sorted(declared_reasons() - set(told))).to(equal([]))
        expect([code for code in told if code not in texts]).to(equal([]))
        expect(sorted(set(told))).to(equal(sorted(told)))

with description("The query for what needs a person") as self:
    with it("finds what is held, failed or not so, and neither what acted nor what waits"):
        (query,) = re.findall(r"^jq -c '(select.*)' log$", PAGE, re.MULTILINE)
        done = subprocess.run(
            ["jq", "-c", query],
            input="\n".join(map(json.dumps, logged())),
            capture_output=True,
            text=True,
            check=True,
        )
        found = [json.loads(line) for line in done.stdout.splitlines()]

        expect([line["reason"] for line in found]).to(
            equal(["slack-unavailable", "budget-used-up", "not-verified"])
        )

with description("A message of the documentation") as self:
    with it("is held to the text around what differs"):
        texts = {f"topic {MARK} is not served: {MARK}"}

        expect(is_printed("topic <topic> is not served: <why>", texts)).to(be_true)
        expect(is_printed("topic <topic> is served: <why>", texts)).to(be_false)
        expect(is_printed("is not served", texts)).to(be_false)
        expect(is_printed("topic falco is not served: <why>", texts)).to(be_false)

    with it("may leave something out where it says so"):
        texts = {f"stream {MARK} covers {MARK} with retention {MARK}: and what to do"}

        expect(is_printed("stream <s> covers <t> with retention <r>: …", texts)).to(be_true)
        expect(is_printed("stream <s> covers <t> with retention <r>:", texts)).to(be_false)
        expect(is_printed("stream <s> … with retention <r>: …", texts)).to(be_true)


not_run_unless(program("jq"), globals(), title="The query")
