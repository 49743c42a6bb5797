"""Requests and runs of deploy_playbook, with what does not matter filled in."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from unittest import mock

from playbooks.deployment import __main__ as program
from playbooks.deployment import kubectl_process
from playbooks.deployment.command_line import parse
from playbooks.deployment.engines import kubeless, kubernetes
from playbooks.deployment.engines.existing import Surroundings
from playbooks.deployment.manifests import function
from playbooks.deployment.request import request
from specs.deployment.fake_kubectl import FakeKubectl

WEBHOOK = "https://hooks.slack.example/services/T0/B0/hunter2"


TOKEN = "a-token-of-some-length"
AROUND = Surroundings(token=TOKEN, hash_key="a-key-of-some-length")

# The sources do not change while specs run, and reading them takes longest.
function.archive = lru_cache(maxsize=None)(function.archive)
kubernetes.worker_archive = lru_cache(maxsize=None)(kubernetes.worker_archive)


@dataclass
class Run:
    code: int
    out: str
    err: str


def run(*arguments, kubectl=None, environ=None, has_kubectl=True, sleep=lambda seconds: None):
    """deploy_playbook in this process, on a cluster in memory, without waiting."""
    out, err = io.StringIO(), io.StringIO()
    found = mock.patch.object(kubectl_process, "available", lambda: has_kubectl)
    with redirect_stdout(out), redirect_stderr(err), found:
        cluster = kubectl or FakeKubectl()
        code = program.main(arguments, environ or {}, cluster, sleep=sleep)
    return Run(code, out.getvalue(), err.getvalue())


def a_request(playbook="delete", *arguments, topics=("falco.error.*",)):
    typed = ["-E", "kubeless", "-p", playbook, *arguments]
    for topic in topics:
        typed += ["-t", topic]
    return request.check(parse(typed))


def a_slack_request(*arguments, webhook=WEBHOOK):
    return a_request("slack", "-e", f"SLACK_WEBHOOK_URL={webhook}", *arguments)


def a_worker_request(playbook="delete", *arguments, topics=("falco.error.*",)):
    typed = ["-E", "kubernetes", "-p", playbook, *arguments]
    for topic in topics:
        typed += ["-t", topic]
    return request.check(parse(typed))


def worker_objects(wanted=None, *, around=AROUND, namespace="default", **pods):
    return kubernetes.objects(
        wanted or a_worker_request(), namespace, kubernetes.Pods(**pods), around
    )


def objects(wanted=None, namespace="default"):
    return kubeless.objects(wanted or a_request(), namespace)
