"""Requests and runs of deploy_playbook, with what does not matter filled in."""

from __future__ import annotations

import base64
import json
import tempfile
from dataclasses import replace
from functools import lru_cache

import yaml

from playbooks.deployment import __main__ as program
from playbooks.deployment.command_line import parse
from playbooks.deployment.engines import kubernetes, registry
from playbooks.deployment.engines.engine import Invocation
from playbooks.deployment.engines.existing import Existing
from playbooks.deployment.manifests import function
from playbooks.deployment.manifests.admission_policies import Bound
from playbooks.deployment.removal.client import Client, client_for
from playbooks.deployment.request.options import Options
from playbooks.deployment.verbs import Tools
from playbooks.testing import FixedClock, InMemoryCluster, InMemoryLedger
from specs.deployment.fake_objects import FakeObjects
from specs.support.programs import run_here

WEBHOOK = "https://hooks.slack.example/services/T0/B0/hunter2"


TOKEN = "a-token-of-some-length"
EXISTING = Existing(
    token=TOKEN,
    hash_key="a-key-of-some-length",
    release_key="a-key-of-some-length",
    api_addresses=("192.0.2.1",),
)
BOUND = replace(EXISTING, bound=Bound(allowed=True))

# The sources do not change while specs run, and packing them takes longest.
function.archive = lru_cache(maxsize=None)(function.archive)
kubernetes.worker_archive = lru_cache(maxsize=None)(kubernetes.worker_archive)


def run(*arguments, cluster=None, environ=None, sleep=lambda seconds: None, client=None):
    """deploy_playbook in this process, on a cluster in memory, without waiting. ``client``: what
    releases contained objects; by default none are there."""
    client = client or Client(FixedClock(), InMemoryCluster(), lambda place: InMemoryLedger())
    cluster = cluster or FakeObjects()
    tools = Tools(environ or {}, lambda *where: cluster, sleep, lambda *where: client)
    return run_here(lambda: program.main(arguments, tools))


def deployed(*words, cluster):
    """What deploying said, where it went well; the cluster has no calls then."""
    answer = run(*words, cluster=cluster)
    assert answer.code == 0, answer.err
    cluster.calls.clear()
    return answer


def documents_of(text):
    """As yaml.safe_load_all, in a tenth of the time."""
    return yaml.load_all(text, yaml.CSafeLoader)


def a_secret(name, **data):
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}


def a_request(playbook="delete", *arguments, topics=("falco.error.*",), engine="kubeless"):
    typed = ["-E", engine, "-p", playbook, *arguments]
    for topic in topics:
        typed += ["-t", topic]
    return registry.checked(parse(typed), registry.named(engine))


def a_slack_request(*arguments, webhook=WEBHOOK):
    return a_request("slack", "-e", f"SLACK_WEBHOOK_URL={webhook}", *arguments)


def a_worker_request(playbook="delete", *arguments, topics=("falco.error.*",)):
    return a_request(playbook, *arguments, topics=topics, engine="kubernetes")


def objects(wanted=None, namespace="default", *, engine="kubeless", existing=EXISTING, **own):
    options = Options(namespace=namespace, engine=engine, own=own)
    invocation = Invocation(options, {}, FakeObjects(), client_for())
    wanted = wanted or a_request(engine=engine)
    return registry.named(engine).objects(wanted, invocation, existing)


def worker_objects(wanted=None, *, namespace="default", existing=EXISTING, patch=None, **own):
    """``patch``: the content of the file that -P names."""
    with tempfile.NamedTemporaryFile("w") as file:
        if patch is not None:
            json.dump(patch, file)
            file.flush()
            own["patch"] = file.name
        return objects(wanted, namespace, engine="kubernetes", existing=existing, **own)
