"""docs/chart against what deploy_playbook makes; rendered by helm where it is on the PATH."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import yaml
from expects import contain, equal, expect
from mamba import description, it

from playbooks.core import catalogue
from playbooks.deployment import VERSION, chart
from playbooks.deployment.apply import set_up
from specs.deployment.mothers import BOUND, a_worker_request, worker_objects
from specs.support.conditions import not_run_unless, program

CHART = Path(__file__).resolve().parents[2] / "docs" / "chart"
MADE = chart.files()

# Playbooks as values.yaml has them, and as they are typed.
DEPLOYMENTS = {
    "delete in two namespaces, with a Secret for NATS": (
        {
            "playbook": "delete",
            "env": {"NAMESPACES": "shop,two", "GRACE_PERIOD_SECONDS": "3", "NOTE": "a$b"},
            "secrets": [
                {"setting": "NATS_USER", "secret": "nats", "key": "user"},
                {"setting": "NATS_PASSWORD", "secret": "nats", "key": "password"},
            ],
            "topics": ["falco.critical.*", "falco.error.x"],
            "replicas": 2,
        },
        (
            *("-e", "NAMESPACES=shop,two", "-e", "GRACE_PERIOD_SECONDS=3", "-e", "NOTE=a$b"),
            *("-s", "NATS_USER=nats/user", "-s", "NATS_PASSWORD=nats/password"),
        ),
    ),
    "isolate everywhere, for a time": (
        {"playbook": "isolate", "name": "isolate-b", "env": {"ISOLATE_TTL": "1h"}},
        ("-N", "isolate-b", "-e", "ISOLATE_TTL=1h"),
    ),
    "taint under another name, in namespaces by a pattern": (
        {"playbook": "taint", "name": "other", "env": {"NAMESPACES": "shop-*"}},
        ("-N", "other", "-e", "NAMESPACES=shop-*"),
    ),
    "slack": (
        {
            "playbook": "slack",
            "secrets": [{"setting": "SLACK_WEBHOOK_URL", "secret": "slack", "key": "url"}],
        },
        ("-s", "SLACK_WEBHOOK_URL=slack/url"),
    ),
    "cordon, which takes no alerts by HTTP": (
        {"playbook": "cordon", "env": {"HTTP": "off"}},
        ("-e", "HTTP=off"),
    ),
    "cordon, with a token": (
        {
            "playbook": "cordon",
            "secrets": [{"setting": "HTTP_TOKEN", "secret": "token", "key": "token"}],
        },
        ("-s", "HTTP_TOKEN=token/token"),
    ),
}


def rendered(**values):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        place = ("-n", "ops", "--kube-version", "1.34")
        words = ["helm", "template", "r", str(CHART), *place, "-f", file.name]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return done.stderr or [m for m in yaml.safe_load_all(done.stdout) if m]


def comparable(manifest):
    """Without what is random, empty values, and orders that mean nothing."""
    made = json.loads(json.dumps(manifest))
    if made["kind"] == "Secret":
        made["data"] = sorted(made["data"])
    if made["kind"] == "Deployment":
        made["spec"]["template"]["metadata"]["annotations"].pop("falco/revision")
    return _sorted(made)


def _sorted(value):
    if isinstance(value, dict):
        found = {key: _sorted(part) for key, part in value.items()}
        return {key: part for key, part in found.items() if part not in (None, [], {})}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda part: json.dumps(part, sort_keys=True))
    return value


def by_name(manifests):
    return {
        " ".join([m["kind"], m["metadata"].get("namespace", ""), m["metadata"]["name"]]): m
        for m in map(comparable, manifests)
    }


with description("The generated files of the chart") as self:
    with it("are those that are there, beside what is written by hand"):
        there = {path.relative_to(CHART).as_posix() for path in CHART.rglob("_*.tpl")}
        made = {path for path in MADE if path.endswith(".tpl")}

        expect(there - made).to(equal({"templates/_helpers.tpl"}))

    with it("have the version of the distribution"):
        known = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))

        expect([known["version"], known["appVersion"]]).to(equal([VERSION, VERSION]))

    with it("define the resources that -S defines"):
        made = [m for m in set_up.manifests() if m["kind"] == "CustomResourceDefinition"]
        there = yaml.safe_load_all((CHART / "crds" / "definitions.yaml").read_text("utf-8"))

        expect(list(there)).to(equal(made))

    with it("leave no text of a placeholder"):
        for text in MADE.values():
            expect(re.findall(r"@@|chartname|chartfunction|chart/image|falco\.chart", text)).to(
                equal([])
            )

with description("The chart, rendered by Helm") as self:
    with it("sets up what -S does, and nothing where it is not to"):
        made = [m for m in set_up.manifests() if m["kind"] != "CustomResourceDefinition"]

        expect(by_name(rendered())).to(equal(by_name(made)))
        expect(rendered(setUp=False)).to(equal([]))

    with it("deploys what deploy_playbook does, whatever the playbook and its settings"):
        set_up_ = rendered()
        for title, (values, typed) in DEPLOYMENTS.items():
            given = {"topics": ["falco.>"], **values}
            found = rendered(
                image="x/y:1",
                playbooks=[given],
                setUp=True,
                egressPorts=[443, 4222, 6443],
                apiServers=["192.0.2.1/32"],
            )
            request = a_worker_request(given["playbook"], *typed, topics=tuple(given["topics"]))
            own = {"image": "x/y:1", "replicas": given.get("replicas", 1)}
            made = worker_objects(request, namespace="ops", existing=BOUND, **own).in_order
            ours = by_name([m for m in found if m not in set_up_])

            expect({title: ours}).to(equal({title: by_name(made)}))

    with it("refuses what deploy_playbook would refuse"):
        slack = {"playbook": "slack", "topics": ["falco.>"]}
        for change, said in (
            ({}, "falco-slack: SLACK_WEBHOOK_URL is not set"),
            ({"env": {"SLACK_WEBHOOK_URL": "x"}}, "is a secret: give it under secrets"),
            ({"playbook": "delete", "topics": []}, "falco-delete has no topics"),
        ):
            expect(rendered(playbooks=[{**slack, **change}])).to(contain(said))

    with it("takes every playbook"):
        facts = {name: f"_{name}.tpl" for name in catalogue.names()}

        expect([n for n, path in facts.items() if not (CHART / "templates" / path).exists()]).to(
            equal([])
        )


not_run_unless(program("helm"), globals(), title="rendered by Helm")
