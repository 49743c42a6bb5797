import json
import re
import subprocess
import tempfile
from pathlib import Path

import yaml
from expects import equal, expect
from mamba import description, it

from specs.support.conditions import not_run_unless, program

PATH = Path(__file__).resolve().parents[2] / "docs" / "prometheus-rules.yaml"
GROUP = yaml.safe_load(PATH.read_text(encoding="utf-8"))["groups"][0]
RULES = {rule["alert"]: rule for rule in GROUP["rules"]}

# Series as Prometheus stores them, with the name of a pod that it adds.
READY = 'playbook_ready{playbook="delete",pod="a"}'
DEAD = 'playbook_dead_letters_total{playbook="delete",reason="%s",held="%s",pod="a"}'
OF_POD = '{playbook="delete",job="pods",instance="a"}'
OUTCOMES = 'playbook_outcomes_total{playbook="delete",status="%s",reason="%s",pod="a"}'
QUEUE = 'playbook_queue_depth{playbook="delete",topic="falco.>",pod="%s"}'
LATE = 'playbook_alert_to_action_seconds_bucket{playbook="delete",le="%s",pod="a"}'


def promtool(*words):
    done = subprocess.run(["promtool", *words], capture_output=True, encoding="utf-8", check=False)
    return done.stdout + done.stderr if done.returncode else ""


def a_file_of(*rules):
    """In the group of docs/prometheus-rules.yaml."""
    return yaml.safe_dump({"groups": [{**GROUP, "rules": list(rules)}]})


def shown(expression):
    """As Grafana asks it, its variables filled in."""
    return re.sub(r"\$__(rate_interval|range)", "1h", expression).replace("$playbook", ".*")


def expected(alert, value, labels):
    """What promtool is to find firing."""
    rule = RULES[alert]
    known = {"$labels." + key: text for key, text in labels.items()}
    known.update({"$value": value, "$value | humanizeDuration": value})

    def filled(text):
        return re.sub(r"\{\{ (.*?) }}", lambda match: known[match[1]], text)

    return {
        "exp_labels": {**rule["labels"], **labels},
        "exp_annotations": {key: filled(text) for key, text in rule["annotations"].items()},
    }


def complaint(alert, series, moments, value="", every="1m", **labels):
    """What promtool says against ``alert`` firing at these moments, of which the values say
    whether it does; empty where it is so. ``every``: how far apart values of series are."""
    tests = [
        {
            "eval_time": moment,
            "alertname": alert,
            "exp_alerts": [expected(alert, value, labels)] if fires else [],
        }
        for moment, fires in moments.items()
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": every, "input_series": inputs, "alert_rule_test": tests}
    whole = {"rule_files": ["rule.yaml"], "evaluation_interval": every, "tests": [test]}
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "rule.yaml").write_text(a_file_of(RULES[alert]))
        path = Path(directory, "test.yaml")
        path.write_text(yaml.safe_dump(whole))
        return promtool("test", "rules", str(path))


with description("An alert rule, tried by promtool") as self:
    with it("is one that Prometheus takes"):
        expect(promtool("check", "rules", str(PATH))).to(equal(""))

    with it("fires at a first dead letter, whose series begins at 1, and at one more"):
        series = {
            DEAD % ("invalid-alert", "false"): "_x9 1x60 2x60",
            DEAD % ("paused", "true"): "1x9 2x120",
        }
        moments = {"5m": False, "11m": True, "40m": False, "72m": True}

        said = complaint(
            "FalcoPlaybookDeadLetters", series, moments, playbook="delete", reason="invalid-alert"
        )
        expect(said).to(equal(""))

    with it("fires when no worker is ready for 5 minutes, and not while one of two is"):
        series = {READY: "1x9 0x60", READY.replace('"a"', '"b"'): "1x29 0x60"}
        moments = {"20m": False, "33m": False, "36m": True}

        expect(complaint("FalcoPlaybookNotReady", series, moments, playbook="delete")).to(equal(""))

    with it("fires when a worker is gone, until it is an hour ago"):
        series = {READY: "1x60 _x120"}
        moments = {"59m": False, "75m": True, "130m": False}

        expect(complaint("FalcoPlaybookWorkerGone", series, moments, playbook="delete")).to(
            equal("")
        )

    with it("fires a day after the last alert that a ready worker got"):
        series = {READY: "1x400", OUTCOMES % ("acted", "tainted"): "_x60 1x400"}
        moments = {"25h": False, "34h": False, "35h": True}

        said = complaint("FalcoPlaybookSilent", series, moments, every="10m", playbook="delete")
        expect(said).to(equal(""))

    with it("fires when nothing ever came to a worker that is a day old"):
        moments = {"20h": False, "25h": True}

        said = complaint(
            "FalcoPlaybookSilent", {READY: "1x400"}, moments, every="10m", playbook="delete"
        )
        expect(said).to(equal(""))

    with it("fires at alerts that are lost"):
        series = {'playbook_lost_total{playbook="delete",pod="a"}': "0x20 1x60"}
        moments = {"15m": False, "25m": True, "60m": False}

        expect(complaint("FalcoPlaybookAlertsLost", series, moments, playbook="delete")).to(
            equal("")
        )

    with it("fires at the first action that is not permitted"):
        series = {OUTCOMES % ("failed", "not-permitted"): "_x19 1x60"}
        moments = {"15m": False, "25m": True}

        expect(complaint("FalcoPlaybookNotPermitted", series, moments, playbook="delete")).to(
            equal("")
        )

    with it("fires at failures that go on"):
        series = {OUTCOMES % ("failed", "conflict"): "0x20 0+1x60"}
        moments = {"15m": False, "40m": True}
        labels = {"playbook": "delete", "reason": "conflict"}

        expect(complaint("FalcoPlaybookFailures", series, moments, **labels)).to(equal(""))

    with it("fires at an alert that is held, apart from dead letters"):
        series = {
            DEAD % ("invalid-alert", "false"): "1x9 2x120",
            DEAD % ("paused", "true"): "_x9 1x60",
        }
        moments = {"5m": False, "11m": True, "40m": False}
        labels = {"playbook": "delete", "reason": "paused"}

        expect(complaint("FalcoPlaybookHeld", series, moments, **labels)).to(equal(""))

    with it("fires while the API server is away"):
        series = {"playbook_api_unavailable" + OF_POD: "0x9 1x20 0x20"}
        moments = {"12m": False, "20m": True, "35m": False}

        for known in (series, {**series, "playbook_paused" + OF_POD: "0x60"}):
            said = complaint("FalcoPlaybookApiUnavailable", known, moments, playbook="delete")
            expect(said).to(equal(""))

    with it("fires at the same of an earlier worker, which called it playbook_paused"):
        series = {"playbook_paused" + OF_POD: "0x9 1x20 0x20"}
        moments = {"12m": False, "20m": True, "35m": False}

        said = complaint("FalcoPlaybookApiUnavailable", series, moments, playbook="delete")
        expect(said).to(equal(""))
        never = {"20m": False, "60m": False}
        series = {"playbook_paused" + OF_POD: "1x90"}
        expect(complaint("FalcoPlaybookPaused", series, never, playbook="delete")).to(equal(""))

    with it("fires while a person has paused it for long, and takes that for no outage"):
        series = {
            "playbook_paused" + OF_POD: "0x9 1x60 0x20",
            "playbook_api_unavailable" + OF_POD: "0x90",
        }
        moments = {"20m": False, "45m": True, "75m": False}

        expect(complaint("FalcoPlaybookPaused", series, moments, playbook="delete")).to(equal(""))
        never = {"20m": False, "45m": False}
        said = complaint("FalcoPlaybookApiUnavailable", series, never, playbook="delete")
        expect(said).to(equal(""))

    with it("fires at a used up budget, also where Prometheus has renamed the worker's label"):
        moments = {"5m": False, "12m": True, "40m": False}
        labels = {"playbook": "delete", "tripped": "shop"}
        for given in ('namespace="shop"', 'namespace="ops",exported_namespace="shop"'):
            series = {f'playbook_budget_tripped{{playbook="delete",{given}}}': "_x9 1x20"}

            expect(complaint("FalcoPlaybookBudgetTripped", series, moments, **labels)).to(equal(""))

    with it("fires at a queue that stays long, which two workers count once"):
        series = {QUEUE % "a": "0x9 150x60", QUEUE % "b": "0x9 150x60"}
        moments = {"12m": False, "20m": True}
        labels = {"playbook": "delete", "topic": "falco.>"}

        expect(complaint("FalcoPlaybookQueue", series, moments, "150", **labels)).to(equal(""))

    with it("fires at actions that come late"):
        series = {LATE % "30": "0x60", LATE % "60": "0+10x60", LATE % "+Inf": "0+10x60"}
        moments = {"3m": False, "20m": True}

        expect(complaint("FalcoPlaybookLate", series, moments, "57s", playbook="delete")).to(
            equal("")
        )


with description("An expression of the dashboard") as self:
    with it("is one that Prometheus takes"):
        dashboard = json.loads(PATH.with_name("grafana-dashboard.json").read_text("utf-8"))
        targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
        asked = [t["expr"] for t in targets if t["datasource"]["type"] == "prometheus"]
        rules = [
            {"record": "asked", "labels": {"number": str(number)}, "expr": shown(expression)}
            for number, expression in enumerate(asked)
        ]
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "rules.yaml")
            path.write_text(a_file_of(*rules))

            expect(promtool("check", "rules", str(path))).to(equal(""))

not_run_unless(program("promtool"), globals())
