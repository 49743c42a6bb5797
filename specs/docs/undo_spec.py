from pathlib import Path

from expects import equal, expect
from mamba import description, it

from playbooks.core import catalogue

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "undo.md").read_text(encoding="utf-8")

with description("The page about undoing") as self:
    with it("says what ends by each setting by which something ends"):
        rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
        first = " ".join(row.split("|")[1] for row in rows)
        declared = [(each.name, each.reaction.TTL) for each in catalogue.containing()]

        expect([(name, ttl) for name, ttl in declared if ttl and f"`{ttl}`" not in first]).to(
            equal([])
        )

    with it("says what each note is about that a playbook writes about what it contains"):
        written = [
            (each.name, key)
            for each in catalogue.containing()
            for key in each.reaction.CONTAINMENT.KEYS
        ]

        expect([(name, key) for name, key in written if f"`{key}`" not in PAGE]).to(equal([]))
