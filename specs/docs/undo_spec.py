import re
from pathlib import Path

import yaml
from expects import equal, expect
from mamba import description, it

from playbooks.core import catalogue
from playbooks.infrastructure.conditions.cel import condition
from playbooks.testing import a_pod, an_alert

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "undo.md").read_text(encoding="utf-8")

with description("The page about undoing") as self:
    with it("leaves out the alerts about the CronJob with a condition that does, and no others"):
        left_out = condition(re.search(r"-e 'WHEN=(.*)'", PAGE)[1])
        rule = re.search(r"Falco's rule `(.*)` alerts", PAGE)[1]
        job = yaml.safe_load((DOCS / "sweep-cronjob.yaml").read_text(encoding="utf-8"))
        here, elsewhere = (a_pod(namespace=n) for n in (job["metadata"]["namespace"], "shop"))

        expect(left_out.judge(an_alert(rule=rule), here).holds).to(equal(False))
        expect(left_out.judge(an_alert(rule=rule), elsewhere).holds).to(equal(True))
        expect(left_out.judge(an_alert(), here).holds).to(equal(True))

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
