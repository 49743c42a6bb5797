import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import yaml
from expects import contain, equal, expect
from mamba import description, it

from specs.support.conditions import not_run_unless, program
from specs.support.processes import ahead, run

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


# By the name of its file, what promtool is asked: all in one process, as its start takes most of
# the time.
TRIALS = {}


def trial(alert, series, moments, value="", every="1m", **labels):
    """Its name. ``alert`` is to fire at these moments, of which the values say whether it does.
    ``every``: how far apart values of series are."""
    name = f"{len(TRIALS)}.yaml"
    tests = [
        {
            "eval_time": moment,
            "alertname": alert,
            "exp_alerts": [expected(alert, value, labels)] if fires else [],
        }
        for moment, fires in moments.items()
    ]
    inputs = [{"series": series, "values": values} for series, values in series.items()]
    test = {"interval": every, "input_series": inputs, "alert_rule_test": tests}
    whole = {"rule_files": [f"rule-{name}"], "evaluation_interval": every, "tests": [test]}
    TRIALS[name] = {name: yaml.safe_dump(whole), f"rule-{name}": a_file_of(RULES[alert])}
    return name


def answers(environ):
    """What promtool says of each trial, by its name."""
    with tempfile.TemporaryDirectory() as directory:
        for files in TRIALS.values():
            for name, text in files.items():
                Path(directory, name).write_text(text)
        done = run(["promtool", "test", "rules", *TRIALS], Path(directory), environ)
    parts = re.split(r"^Unit Testing:  (\S+)\n", done.stdout + done.stderr, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def said(*trials):
    """What promtool says of each."""
    return [ANSWERS.result()[name].strip() for name in trials]


DEAD_LETTERS = trial(
    "FalcoPlaybookDeadLetters",
    {
        DEAD % ("invalid-alert", "false"): "_x9 1x60 2x60",
        DEAD % ("paused", "true"): "1x9 2x120",
    },
    {"5m": False, "11m": True, "40m": False, "72m": True},
    playbook="delete",
    reason="invalid-alert",
)
NOT_READY = trial(
    "FalcoPlaybookNotReady",
    {READY: "1x9 0x60", READY.replace('"a"', '"b"'): "1x29 0x60"},
    {"20m": False, "33m": False, "36m": True},
    playbook="delete",
)
GONE = trial(
    "FalcoPlaybookWorkerGone",
    {READY: "1x60 _x120"},
    {"59m": False, "75m": True, "130m": False},
    playbook="delete",
)
SILENT = trial(
    "FalcoPlaybookSilent",
    {READY: "1x400", OUTCOMES % ("acted", "tainted"): "_x60 1x400"},
    {"25h": False, "34h": False, "35h": True},
    every="10m",
    playbook="delete",
)
EVER_SILENT = trial(
    "FalcoPlaybookSilent",
    {READY: "1x400"},
    {"20h": False, "25h": True},
    every="10m",
    playbook="delete",
)
LOST = trial(
    "FalcoPlaybookAlertsLost",
    {'playbook_lost_total{playbook="delete",pod="a"}': "0x20 1x60"},
    {"15m": False, "25m": True, "60m": False},
    playbook="delete",
)
NOT_PERMITTED = trial(
    "FalcoPlaybookNotPermitted",
    {OUTCOMES % ("failed", "not-permitted"): "_x19 1x60"},
    {"15m": False, "25m": True},
    playbook="delete",
)
FAILURES = trial(
    "FalcoPlaybookFailures",
    {OUTCOMES % ("failed", "conflict"): "0x20 0+1x60"},
    {"15m": False, "40m": True},
    playbook="delete",
    reason="conflict",
)
HELD = trial(
    "FalcoPlaybookHeld",
    {
        DEAD % ("invalid-alert", "false"): "1x9 2x120",
        DEAD % ("paused", "true"): "_x9 1x60",
    },
    {"5m": False, "11m": True, "40m": False},
    playbook="delete",
    reason="paused",
)
AWAY = [
    trial(
        "FalcoPlaybookApiUnavailable",
        {"playbook_api_unavailable" + OF_POD: "0x9 1x20 0x20", **others},
        {"12m": False, "20m": True, "35m": False},
        playbook="delete",
    )
    for others in ({}, {"playbook_paused" + OF_POD: "0x60"})
]
AWAY_FOR_AN_EARLIER_ONE = [
    trial(
        "FalcoPlaybookApiUnavailable",
        {"playbook_paused" + OF_POD: "0x9 1x20 0x20"},
        {"12m": False, "20m": True, "35m": False},
        playbook="delete",
    ),
    trial(
        "FalcoPlaybookPaused",
        {"playbook_paused" + OF_POD: "1x90"},
        {"20m": False, "60m": False},
        playbook="delete",
    ),
]
BY_A_PERSON = {
    "playbook_paused" + OF_POD: "0x9 1x60 0x20",
    "playbook_api_unavailable" + OF_POD: "0x90",
}
PAUSED = [
    trial(
        "FalcoPlaybookPaused",
        BY_A_PERSON,
        {"20m": False, "45m": True, "75m": False},
        playbook="delete",
    ),
    trial(
        "FalcoPlaybookApiUnavailable",
        BY_A_PERSON,
        {"20m": False, "45m": False},
        playbook="delete",
    ),
]
TRIPPED = [
    trial(
        "FalcoPlaybookBudgetTripped",
        {f'playbook_budget_tripped{{playbook="delete",{given}}}': "_x9 1x20"},
        {"5m": False, "12m": True, "40m": False},
        playbook="delete",
        tripped="shop",
    )
    for given in ('namespace="shop"', 'namespace="ops",exported_namespace="shop"')
]
QUEUED = trial(
    "FalcoPlaybookQueue",
    {QUEUE % "a": "0x9 150x60", QUEUE % "b": "0x9 150x60"},
    {"12m": False, "20m": True},
    "150",
    playbook="delete",
    topic="falco.>",
)
COME_LATE = trial(
    "FalcoPlaybookLate",
    {LATE % "30": "0x60", LATE % "60": "0+10x60", LATE % "+Inf": "0+10x60"},
    {"3m": False, "20m": True},
    "57s",
    playbook="delete",
)

# Fires where it must not, so that what promtool says of that is known.
WRONG = trial("FalcoPlaybookNotReady", {READY: "0x60"}, {"36m": False}, playbook="delete")

PROMTOOL = program("promtool")
ANSWERS = ahead(answers, {**os.environ}) if PROMTOOL.holds else None

with description("An alert rule, tried by promtool") as self:
    with it("is one that Prometheus takes"):
        expect(promtool("check", "rules", str(PATH))).to(equal(""))

    with it("is found out where it fires and must not"):
        expect(said(WRONG)[0]).to(contain("FAILED", "FalcoPlaybookNotReady", "got:"))

    with it("fires at a first dead letter, whose series begins at 1, and at one more"):
        expect(said(DEAD_LETTERS)).to(equal(["SUCCESS"]))

    with it("fires when no worker is ready for 5 minutes, and not while one of two is"):
        expect(said(NOT_READY)).to(equal(["SUCCESS"]))

    with it("fires when a worker is gone, until it is an hour ago"):
        expect(said(GONE)).to(equal(["SUCCESS"]))

    with it("fires a day after the last alert that a ready worker got"):
        expect(said(SILENT)).to(equal(["SUCCESS"]))

    with it("fires when nothing ever came to a worker that is a day old"):
        expect(said(EVER_SILENT)).to(equal(["SUCCESS"]))

    with it("fires at alerts that are lost"):
        expect(said(LOST)).to(equal(["SUCCESS"]))

    with it("fires at the first action that is not permitted"):
        expect(said(NOT_PERMITTED)).to(equal(["SUCCESS"]))

    with it("fires at failures that go on"):
        expect(said(FAILURES)).to(equal(["SUCCESS"]))

    with it("fires at an alert that is held, apart from dead letters"):
        expect(said(HELD)).to(equal(["SUCCESS"]))

    with it("fires while the API server is away"):
        expect(said(*AWAY)).to(equal(["SUCCESS"] * 2))

    with it("fires at the same of an earlier worker, which called it playbook_paused"):
        expect(said(*AWAY_FOR_AN_EARLIER_ONE)).to(equal(["SUCCESS"] * 2))

    with it("fires while a person has paused it for long, and takes that for no outage"):
        expect(said(*PAUSED)).to(equal(["SUCCESS"] * 2))

    with it("fires at a used up budget, also where Prometheus has renamed the worker's label"):
        expect(said(*TRIPPED)).to(equal(["SUCCESS"] * 2))

    with it("fires at a queue that stays long, which two workers count once"):
        expect(said(QUEUED)).to(equal(["SUCCESS"]))

    with it("fires at actions that come late"):
        expect(said(COME_LATE)).to(equal(["SUCCESS"]))


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

not_run_unless(PROMTOOL, globals())
