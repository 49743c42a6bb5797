"""Against a real Prometheus, which scrapes what a worker exposes and reads the rules."""

import atexit
import json
import re
import shutil
import subprocess
import tempfile
import urllib.parse
from pathlib import Path
from urllib.request import urlopen

import yaml
from expects import equal, expect
from mamba import after, before, description, it

from playbooks.core import VERSION
from playbooks.core.ports import Standing
from playbooks.engines.worker.metrics import Metrics
from specs.support.conditions import not_run_unless, program
from specs.support.loopback.server import Answer, LoopbackServer
from specs.support.processes import end_with_specs, eventually, free_port

DOCS = Path(__file__).resolve().parents[2] / "docs"
PANELS = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
HOME, FUNCTION = "responders", "falco-delete"


def rules_of(document):
    return [rule for group in document["groups"] for rule in group["rules"]]


def served(metrics):
    """A server of /metrics."""
    kind = {"Content-Type": "text/plain; version=0.0.4"}
    return LoopbackServer(answer=lambda asked: Answer(200, metrics.page(), kind))


def a_worker():
    """One that was paused, and whose budget of shop is used up."""
    metrics = Metrics("delete")
    metrics.info(HOME, FUNCTION, VERSION).set(1)
    metrics.stands(Standing("paused by alice", ("shop",)))
    metrics.gave_up("paused", 2, held=True)
    return metrics


class Prometheus:
    """Scrapes the page every second, as a pod of the namespace HOME, and has the rules."""

    def __init__(self, page):
        self.directory = Path(tempfile.mkdtemp(prefix="prometheus-"))
        self.port = free_port()
        shutil.copy(DOCS / "prometheus-rules.yaml", self.directory)
        # The label as the discovery of pods gives it.
        target = {"targets": [f"127.0.0.1:{page.port}"], "labels": {"namespace": HOME}}
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["prometheus-rules.yaml"],
            "scrape_configs": [{"job_name": "pods", "static_configs": [target]}],
        }
        path = self.directory / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        log = (self.directory / "log").open("wb")
        words = [f"--config.file={path}", f"--storage.tsdb.path={self.directory / 'data'}"]
        words.append(f"--web.listen-address=127.0.0.1:{self.port}")
        self.process = subprocess.Popen(
            ["prometheus", *words], stdout=log, stderr=log, preexec_fn=end_with_specs
        )
        atexit.register(self.remove)

    def remove(self):
        atexit.unregister(self.remove)
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.directory)

    def get(self, path):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        try:
            with urlopen(url, timeout=10) as answer:
                return json.loads(answer.read())["data"]
        except (OSError, ValueError):
            return None

    def asked(self, expression):
        """The value of each series."""
        found = self.get(f"query?{urllib.parse.urlencode({'query': expression})}")
        return found and [float(each["value"][1]) for each in found["result"]]


INSTALLED = program("prometheus")

# It takes seconds to begin, in which other specs run.
PAGE = served(a_worker()) if INSTALLED.holds else None
PROMETHEUS = Prometheus(PAGE) if PAGE else None

with description("A Prometheus that scrapes a worker as a pod of its namespace") as self:
    with before.all:
        self.prometheus = PROMETHEUS
        eventually(lambda: self.prometheus.asked("playbook_info"), 60)

    with after.all:
        self.prometheus.remove()
        PAGE.stop()

    def shown(self, title, **chosen):
        """The values of a panel whose variables are chosen so."""
        (panel,) = [each for each in PANELS if each["title"] == title]
        variables = {"namespace": ".*", "function": "falco-.+", "playbook": ".*", **chosen}
        # Longer than it has been scraping.
        expression = re.sub(r"\$__(rate_interval|range)", "1h", panel["targets"][0]["expr"])
        for name, value in variables.items():
            expression = expression.replace(f"${name}", value)
        return self.prometheus.asked(expression)

    with it("shows what is held, paused and used up, by namespace and function"):
        for title, value in (
            ("Held alerts", 2.0),
            ("Paused playbooks", 1.0),
            ("Budgets used up", 1.0),
            ("Without the API server", 0.0),
        ):
            expect((title, self.shown(title))).to(equal((title, [value])))
            expect((title, self.shown(title, namespace=HOME, function=FUNCTION))).to(
                equal((title, [value]))
            )
        expect(self.shown("Paused playbooks", namespace="another")).to(equal([]))
        expect(self.shown("Paused playbooks", function="falco-other")).to(equal([]))

    with it("loads every rule, and fires for the namespace whose budget is used up"):
        name = "FalcoPlaybookBudgetTripped"

        def firing():
            found = (self.prometheus.get("alerts") or {}).get("alerts") or ()
            return [each for each in found if each["labels"]["alertname"] == name]

        (alert,) = eventually(firing, 60)
        expect(alert["labels"]["tripped"]).to(equal("shop"))
        rules = rules_of(self.prometheus.get("rules"))
        written = rules_of(yaml.safe_load((DOCS / "prometheus-rules.yaml").read_text("utf-8")))
        expect([rule["name"] for rule in rules]).to(equal([rule["alert"] for rule in written]))
        expect({rule["health"] for rule in rules} - {"ok", "unknown"}).to(equal(set()))

not_run_unless(INSTALLED, globals())
