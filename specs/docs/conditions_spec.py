"""docs/conditions.md does what it says."""

import re

from expects import be_above, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.when import LONGEST
from playbooks.infrastructure.conditions.cel import condition
from specs.support.conditions_page import ALERT, ANSWERS, PAGE, POD, rows

with description("The page about conditions") as self:
    with it("says what holds"):
        found = rows("conditions")

        expect(len(found)).to(be_above(20))
        for text, said in found:
            judged = condition(text).judge(ALERT, POD)
            expect((text, judged.holds)).to(equal((text, ANSWERS[said])))

    with it("says what is refused"):
        found = rows("refused")

        expect(len(found)).to(be_above(8))
        for text, _ in found:
            expect(lambda text=text: condition(text)).to(raise_error(InvalidSetting))

    with it("takes the condition of its first command"):
        text = re.search(r"-e 'WHEN=(.*)'$", PAGE, re.MULTILINE)[1]

        expect(condition(text).names_pod).to(equal(False))

    with it("says how long one may be"):
        expect(f"at most {LONGEST:,} characters" in PAGE).to(equal(True))
