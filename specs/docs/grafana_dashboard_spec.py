import json
import re
from pathlib import Path

from expects import be_empty, contain, equal, expect
from mamba import description, it

from specs.docs.worker_log import fields
from specs.docs.worker_metrics import series, unknown

PATH = Path(__file__).resolve().parents[2] / "docs" / "grafana-dashboard.json"
DASHBOARD = json.loads(PATH.read_text(encoding="utf-8"))
PANELS = DASHBOARD["panels"]


def expressions(source):
    return [
        target["expr"]
        for panel in PANELS
        for target in panel["targets"]
        if target["datasource"]["type"] == source
    ]


def log_fields(expression):
    """What a LogQL expression reads of a line that it parsed; Loki's own ``__error__`` aside."""
    parsed = expression.partition("| json")[2]
    filtered = re.findall(r"\| (\w+)=", parsed)
    return {*filtered, *re.findall(r"\.(\w+)", "".join(re.findall(r"\{\{.*?}}", parsed)))} - {
        "__error__"
    }


with description("The dashboard") as self:
    with it("asks on import which Prometheus and which Loki it shows, and uses these"):
        asked = {entry["name"]: entry["pluginId"] for entry in DASHBOARD["__inputs"]}
        used = re.findall(r'"type": "(\w+)",\s+"uid": "\$\{(\w+)}"', PATH.read_text("utf-8"))

        expect(asked).to(equal({"DS_PROMETHEUS": "prometheus", "DS_LOKI": "loki"}))
        expect({name: kind for kind, name in used}).to(equal(asked))

    with it("uses metrics and labels that a worker exposes, and no others"):
        variables = [each["definition"] for each in DASHBOARD["templating"]["list"]]
        asked = [*expressions("prometheus"), *variables]

        expect({each: unknown(each) for each in asked}).to(equal({each: [] for each in asked}))

    with it("shows every metric of the worker but what it dropped"):
        shown = " ".join(expressions("prometheus"))
        names = {re.sub("_(bucket|sum|count)$", "", name) for name in series()}

        expect({name for name in names if name not in shown}).to(equal({"playbook_dropped_total"}))

    with it("reads fields that a worker logs, and no others"):
        asked = [log_fields(expression) for expression in expressions("loki")]

        expect(asked[0]).to(contain("status", "alert_rule"))
        expect(set().union(*asked) - fields()).to(be_empty)

    with it("has panels that do not lie on each other"):
        places = [
            (x, y)
            for place in (panel["gridPos"] for panel in PANELS)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]

        expect(len(places)).to(equal(len(set(places))))
        expect(max(x for x, _ in places)).to(equal(23))
