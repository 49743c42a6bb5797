"""docs/conditions.md does what it says."""

import json
import re
from pathlib import Path

from expects import be_above, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.when import LONGEST
from playbooks.infrastructure.conditions.cel import condition
from playbooks.testing import a_pod, an_alert

PAGE = Path(__file__).resolve().parents[2].joinpath("docs/conditions.md").read_text("utf-8")

ANSWERS = {"yes": True, "no": False, "cannot be told": None}


def rows(name):
    """The first column in backticks, and the second, of the table of this name."""
    table = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)[1]
    found = re.findall(r"^\| `(.+?)` \| (.+) \|$", table, re.MULTILINE)
    return [(text.replace("\\|", "|"), said) for text, said in found]


with description("The page about conditions") as self:
    with it("says what holds"):
        fields = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
        alert = an_alert(
            fields, tags=["container", "T1059"], time="2026-01-02T03:00:00Z", hostname="node-1"
        )
        images = [{"name": "web", "image": "registry.example/web:1"}]
        pod = a_pod(
            metadata={"labels": {"team": "web"}},
            owner="ReplicaSet/web",
            spec={"containers": images},
        )
        found = rows("conditions")

        expect(len(found)).to(be_above(20))
        for text, said in found:
            judged = condition(text).judge(alert, pod)
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
