"""Against Grafana's own types of a dashboard, as it publishes them for Python."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

from expects import equal, expect
from mamba import description, it

from specs.support.conditions import Condition, not_run_unless

TYPES = Condition(
    find_spec("grafana_foundation_sdk") is not None, "grafana-foundation-sdk is not installed"
)
PATH = Path(__file__).resolve().parents[2] / "docs" / "grafana-dashboard.json"
DASHBOARD = json.loads(PATH.read_text(encoding="utf-8"))

# What an export has beside the dashboard, for who imports it, and what Grafana sets itself.
BESIDE = {"__inputs", "__requires", "id"}
# The query of a variable as text, which earlier versions of Grafana read.
EARLIER = {"templating.list[].definition"}


def understood():
    """The dashboard as Grafana's types have it."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(DASHBOARD)))


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


def own():
    return {key: value for key, value in DASHBOARD.items() if key not in BESIDE}


with description("The dashboard, read by Grafana's own types") as self:
    with it("is understood as it is written, down to each option of a panel"):
        given, found = dict(leaves(own())), dict(leaves(understood()))
        lost = {re.sub(r"\[\d+\]", "[]", path) for path in given if path not in found}

        expect(lost - EARLIER).to(equal(set()))
        expect({p: found[p] for p in given if p in found}).to(
            equal({p: v for p, v in given.items() if p in found})
        )

    with it("has the variables namespace, function and playbook, each narrowed by those before"):
        queries = {v["name"]: v["query"]["query"] for v in understood()["templating"]["list"]}

        expect(list(queries)).to(equal(["namespace", "function", "playbook"]))
        expect([re.findall(r"\$(\w+)", query) for query in queries.values()]).to(
            equal([[], ["namespace"], ["namespace", "function"]])
        )

    with it("shows held alerts, pauses and used up budgets by themselves"):
        titles = [panel["title"] for panel in understood()["panels"]]

        expect({"Held alerts", "Paused playbooks", "Budgets used up"} - set(titles)).to(
            equal(set())
        )

not_run_unless(TYPES, globals())
