from expects import equal, expect
from mamba import description, it

from playbooks.core.settings import Setting, text
from playbooks.deployment.tables import settings_table

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
