from expects import contain, equal, expect, have_len
from mamba import description, it

from playbooks.core import guards
from playbooks.deployment.tables import guards_table

LINES = guards_table().splitlines()[2:]


def row(guard):
    """The cells of the row of a guard."""
    line = LINES[guards.ORDER.index(guard)]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


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
        expect(row(guards.StaleAlerts)[2]).to(equal("`MAX_ALERT_AGE` (`10m`)"))
        expect(row(guards.OnlyRules)[2]).to(equal("`RULES` (empty)"))
        expect(row(guards.OwnPods)[2]).to(equal("(none)"))

    with it("leaves a long default to the table of settings"):
        expect(row(guards.ProtectedNamespaces)[2]).to(
            equal("`PROTECTED_NAMESPACES` (see [settings](settings.md))")
        )

    with it("shows the reason codes, and how each is turned off"):
        expect(row(guards.LastNodes)[3:]).to(
            equal(["`control-plane-node`, `last-node`", "always on"])
        )
