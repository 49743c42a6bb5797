import re
from pathlib import Path

import yaml
from expects import be_above, be_empty, equal, expect, have_keys
from mamba import description, it

from playbooks.core import errors
from playbooks.core.outcome import NOT_VERIFIED, Status
from specs.docs.worker_metrics import unknown

PATH = Path(__file__).resolve().parents[2] / "docs" / "prometheus-rules.yaml"
RULES = yaml.safe_load(PATH.read_text(encoding="utf-8"))["groups"][0]["rules"]

with description("Every alert rule") as self:
    with it("uses what a worker exposes, and nothing else"):
        expect({rule["alert"]: unknown(rule["expr"]) for rule in RULES}).to(
            equal({rule["alert"]: [] for rule in RULES})
        )

    with it("says for how long, how bad, what is wrong and what to do"):
        for rule in RULES:
            expect(rule).to(have_keys("alert", "expr", "for", "labels", "annotations"))
            expect(rule["labels"]).to(have_keys("severity"))
            expect(len(rule["annotations"]["summary"])).to(be_above(20))
            expect(len(rule["annotations"]["description"])).to(be_above(100))

    with it("is called Falco's, and has a runbook in the page about troubleshooting"):
        page = PATH.with_name("troubleshooting.md").read_text(encoding="utf-8")
        runbooks = re.findall(r"^### (\w+)$", page, re.MULTILINE)
        urls = [rule["annotations"]["runbook_url"] for rule in RULES]

        expect([rule["alert"] for rule in RULES]).to(equal(runbooks))
        expect({name[:13] for name in runbooks}).to(equal({"FalcoPlaybook"}))
        expect(urls).to(
            equal([f"https://docs.example.com/troubleshooting.md#{n.lower()}" for n in runbooks])
        )

    with it("asks for reasons and statuses that outcomes have"):
        asked = re.findall(r'(reason|status)="([^"]*)"', " ".join(rule["expr"] for rule in RULES))
        reasons = {value.reason for value in vars(errors).values() if hasattr(value, "reason")}
        reasons.add(NOT_VERIFIED)

        expect({value for key, value in asked if key == "reason"} - reasons).to(be_empty)
        expect({value for key, value in asked if key == "status"} - set(map(str, Status))).to(
            be_empty
        )

    with it("names only labels in its texts that its expression has"):
        for rule in RULES:
            texts = " ".join(rule["annotations"].values())
            named = set(re.findall(r"\$labels\.(\w+)", texts))

            expect(named - set(re.findall(r"\w+", rule["expr"]))).to(be_empty)
