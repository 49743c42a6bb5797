import shutil
import tempfile
from pathlib import Path

from expects import be_empty, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.core import guards
from playbooks.core.settings import Setting, text
from playbooks.deployment.generate import filled, generate, guards_table, settings_table, stale
from playbooks.engines.worker.settings import HTTP_TOKEN
from specs.support.processes import ROOT

PARTS = ("docs/settings.md", "docs/guards.md", "docs/nats-users.conf", "docs/chart")

with description("What is generated from declarations") as self:
    with before.each:
        self.top = Path(tempfile.mkdtemp(prefix="generate-"))
        (self.top / "docs").mkdir()
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, self.top / part)

    with after.each:
        shutil.rmtree(self.top)

    with it("is up to date in this repository (python -m playbooks.deployment.generate)"):
        expect(list(stale(ROOT))).to(be_empty)

    with it("is written where it is missing or otherwise, and nothing else is"):
        generate(self.top)
        page, template = self.top / "docs/settings.md", self.top / "docs/chart/templates/_taint.tpl"
        before = [each.read_text("utf-8") for each in (page, template)]
        page.write_text(page.read_text("utf-8").replace("| `TAINT_KEY` |", "| `OTHER` |"), "utf-8")
        template.unlink()
        users = self.top / "docs/nats-users.conf"
        users.write_text(users.read_text("utf-8").replace('"falco.>"', '">"'), "utf-8")
        changed = ["docs/settings.md", "docs/nats-users.conf", "docs/chart/templates/_taint.tpl"]

        expect(sorted(stale(self.top))).to(equal(sorted(changed)))
        expect(sorted(generate(self.top))).to(equal(sorted(changed)))
        expect(list(stale(self.top))).to(be_empty)
        expect([each.read_text("utf-8") for each in (page, template)]).to(equal(before))


HEAD = "| Setting | Default | What it does |\n|---|---|---|\n"

LINES = guards_table().splitlines()[2:]


def row(guard):
    """The cells of the row of a guard."""
    line = LINES[guards.ORDER.index(guard)]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


with description("The table of settings") as self:
    with it("shows name, default and help"):
        expect(settings_table([Setting("A", text, "1", "Does a | b")])).to(
            equal(HEAD + "| `A` | `1` | Does a \\| b |\n")
        )

    with it("says what is empty, required and secret"):
        settings = [Setting("A", text, "", "a"), Setting("B", text, None, "b", secret=True)]

        expect(settings_table(settings)).to(
            equal(HEAD + "| `A` | (empty) | a |\n| `B` | **required** | b (secret) |\n")
        )

    with it("says that deploying generates the bearer token of the worker"):
        expect(settings_table([HTTP_TOKEN])).to(contain("| `HTTP_TOKEN` | (generated) |"))


with description("A page with tables") as self:
    with it("gets them between its marks, and keeps the rest"):
        page = "a\n<!-- tables -->\nold\n<!-- end -->\nb\n"

        expect(filled(page, "new\n")).to(equal(page.replace("old", "new")))


with description("The table of guards") as self:
    with it("has a row for each guard, numbered in the order in which they are asked"):
        expect(LINES).to(have_len(len(guards.ORDER)))
        expect([line.split("|")[1].strip() for line in LINES]).to(
            equal([str(number) for number in range(1, len(LINES) + 1)])
        )

    with it("says what may pass, by the first paragraph of its description, on one line"):
        expect(row(guards.OnlyNamespaces)[1]).to(equal("Only pods of the listed namespaces."))
        expect(row(guards.Exemptions)[1]).to(contain("whose annotation `falco/exempt`"))

    with it("shows settings with their defaults"):
        expect(row(guards.StaleAlerts)[2]).to(
            equal("`MAX_ALERT_AGE` (`10m`), `HOLD_STALE_FROM` (`Notice`)")
        )
        expect(row(guards.OnlyRules)[2]).to(equal("`RULES` (empty)"))
        expect(row(guards.OwnPods)[2]).to(equal("(none)"))

    with it("leaves a long default to the table of settings"):
        expect(row(guards.ProtectedNamespaces)[2]).to(
            equal("`PROTECTED_NAMESPACES` (see [settings](settings.md))")
        )

    with it("shows the reason codes, and how each is turned off"):
        expect(row(guards.LastNodes)[3:]).to(
            equal(
                [
                    "`control-plane-node`, `last-node`",
                    "`ALLOW_LAST_NODE=true`, `ALLOW_CONTROL_PLANE=true`",
                ]
            )
        )
