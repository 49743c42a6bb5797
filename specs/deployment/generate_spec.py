import shutil
import tempfile
from pathlib import Path

from expects import be_empty, equal, expect
from mamba import after, before, description, it

from playbooks.deployment.generate import generate, stale
from specs.support.processes import ROOT

PARTS = ("docs/settings.md", "docs/guards.md", "docs/chart")

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
        changed = ["docs/settings.md", "docs/chart/templates/_taint.tpl"]

        expect(sorted(stale(self.top))).to(equal(sorted(changed)))
        expect(sorted(generate(self.top))).to(equal(sorted(changed)))
        expect(list(stale(self.top))).to(be_empty)
        expect([each.read_text("utf-8") for each in (page, template)]).to(equal(before))
