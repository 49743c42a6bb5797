import contextlib
import io
import tempfile
from pathlib import Path

from expects import equal, expect
from mamba import description, it

from playbooks.core.settings import Setting, text
from playbooks.deployment.tables import filled, main, settings_table, tables

HEAD = "| Setting | Default | What it does |\n|---|---|---|\n"


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

with description("A page with tables") as self:
    with it("gets those that are declared, between its marks, and keeps the rest"):
        page = "a\n<!-- tables: delete -->\nold\n<!-- end -->\nb\n"

        expect(filled(page)).to(
            equal(f"a\n<!-- tables: delete -->\n{tables('delete')}<!-- end -->\nb\n")
        )

    with it("is written in its place"):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "page.md"
            path.write_text("<!-- tables: guards -->\n<!-- end -->\n", encoding="utf-8")

            expect(main(["--write", str(path)])).to(equal(0))
            expect(path.read_text(encoding="utf-8")).to(
                equal(f"<!-- tables: guards -->\n{tables('guards')}<!-- end -->\n")
            )

    with it("cannot have tables of a playbook that is not there"):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            code = main(["nothing"])

        expect((code, said.getvalue()[:35])).to(equal((2, "there is no playbook 'nothing': one")))
