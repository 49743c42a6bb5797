import re

from expects import be_below, contain, equal, expect
from mamba import description, it

from playbooks.core import catalogue
from specs.support.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")

with description("The README") as self:
    with it("can be read in ten minutes"):
        expect(len(README.splitlines())).to(be_below(201))

    with it("has every playbook in its table, with a link to what it does"):
        rows = re.findall(r"^\| \[`(\w+)`\]\(docs/playbooks\.md#(\w+)\)", README, re.MULTILINE)

        expect(rows).to(equal([(name, name) for name in catalogue.names()]))

    with it("has a changelog that names every playbook"):
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

        expect([name for name in catalogue.names() if f"`{name}`" not in changelog]).to(equal([]))

    with it("leads to every page"):
        linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", README))

        expect(linked).to(equal({path.name for path in (ROOT / "docs").glob("*.md")}))

    with it("gives the test command that the continuous check runs"):
        commands = [line for line in README.splitlines() if "pipenv run mamba" in line]

        expect(commands[0]).to(contain("python3 -m venv .venv", "pipenv sync -q --dev"))
