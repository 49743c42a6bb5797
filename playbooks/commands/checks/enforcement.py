"""Does the network plugin enforce what isolate stores? Tried with two pods of its own."""

from __future__ import annotations

from functools import partial
from typing import List

from playbooks.commands import tell
from playbooks.commands.checks.finding import FAILED, OK, WARNING, Finding, evaluated
from playbooks.commands.checks.probe_pods import BARE, KINDS, REPLICA, Heard, ProbePods
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply.waiting import Interruptions, Sleep
from playbooks.deployment.errors import DeploymentError

ENFORCED = "network policy"

# Looks at traffic, of some five seconds each: until it comes through, and until it is cut off.
TRIES = 6

_WHOSE = {BARE: "a bare pod", REPLICA: "a ReplicaSet's pod"}
_PLUGIN = "use a network plugin that enforces NetworkPolicies: without one, isolate has no effect"
_KEPT = "open connections last until the pod is gone: delete the pods of such alerts instead"


def look(cluster: ClusterObjects, image: str, *, sleep: Sleep) -> List[Finding]:
    """Leaves nothing behind, however it ends. Raises DeploymentError."""
    with Interruptions() as interruptions:
        pods = ProbePods(cluster, image, sleep=sleep, check=interruptions.check)
        tell(
            "",
            [f"two pods in namespace {pods.namespace} test it, for about a minute"],
        )
        try:
            pods.begin()
            findings: List[Finding] = []
            for kind in KINDS:
                findings += evaluated(ENFORCED, partial(_of, pods, kind))
            return findings
        finally:
            _end(pods)


def _of(pods: ProbePods, kind: str) -> List[Finding]:
    pods.talk()
    through = Heard(open=True, new=True)
    if _heard(pods, wanted=through) != through:
        raise DeploymentError("its probe pods do not reach each other, without any policy")
    pods.isolate(kind)
    found = _heard(pods, wanted=Heard(open=False, new=False))
    pods.release(kind)
    return [_new(kind, found), _open(kind, found)]


def _heard(pods: ProbePods, *, wanted: Heard) -> Heard:
    """As it is wanted, or as it is in the end."""
    found = pods.heard()
    for _ in range(TRIES - 1):
        if found == wanted:
            break
        found = pods.heard()
    return found


def _new(kind: str, found: Heard) -> Finding:
    check = f"policy, {kind}, new"
    if not found.new:
        return Finding(check, OK, f"{_WHOSE[kind]} is cut off from new connections")
    said = f"a policy does not stop new connections of {_WHOSE[kind]}"
    return Finding(check, FAILED, said, _PLUGIN)


def _open(kind: str, found: Heard) -> Finding:
    check = f"policy, {kind}, open"
    if not found.open:
        return Finding(check, OK, f"{_WHOSE[kind]} is cut off from connections that were open")
    said = f"a policy does not cut connections of {_WHOSE[kind]} that are open already"
    return Finding(check, WARNING, said, _KEPT)


def _end(pods: ProbePods) -> None:
    try:
        pods.end()
    except PlaybookError as error:
        by_hand = f"kubectl delete namespace {pods.namespace}"
        tell("warning", [f"the probe pods were not deleted (run: {by_hand}): {error}"])
