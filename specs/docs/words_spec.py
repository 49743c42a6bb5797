"""Words that kubectl, Helm, Falco and NATS do not say: pages and messages say it as these do."""

import re

from expects import equal, expect
from mamba import description, it

from specs.docs.messages import templates
from specs.support.processes import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]

# What was said, and what is said instead.
INSTEAD = {
    r"\bbegins? again\b": "reset",
    r"small letters": "lowercase letters",
    r"\bdoor\b": "HTTP endpoint",
    r"\bfor ever\b": "until it succeeds",
    r"sign of life": "heartbeat, claim",
    r"for want of": "without",
    r"who has no credentials": "anonymous connections",
    r"\blest\b": "so that ... not",
    r"\banew\b": "again",
    r"\bgiven up\b|\bgave\b.*\bup\b": "failed, not tried again",
    r"\bmend(s|ed)?\b": "fix",
    r"puts? (it|them|number .|the (alert|dead letters?)) back\b": "redeliver",
}
WORDS = re.compile("|".join(INSTEAD), re.IGNORECASE)


def said(lines):
    return [line.replace("\0", "<>") for line in lines if WORDS.search(line)]


with description("The words of pages and messages") as self:
    with it("are those of the field in every page"):
        found = {path.name: said(path.read_text("utf-8").splitlines()) for path in PAGES}

        expect({name: lines for name, lines in found.items() if lines}).to(equal({}))

    with it("are those of the field in every message"):
        expect(said(sorted(templates()))).to(equal([]))
