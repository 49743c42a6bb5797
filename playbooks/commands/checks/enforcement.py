"""Does the network plugin enforce what isolate stores, and after how long? Tried with two pods of
its own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Callable, List

from playbooks.commands import tell
from playbooks.commands.checks import network_plugin
from playbooks.commands.checks.finding import FAILED, OK, WARNING, Finding, evaluated
from playbooks.commands.checks.probe_pods import BARE, KINDS, REPLICA, Heard, ProbePods
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.policies import denying
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY, PolicyKind
from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply import preflight
from playbooks.deployment.apply.waiting import Interruptions, Sleep
from playbooks.deployment.errors import DeploymentError

ENFORCED = "network policy"

# Looks at traffic until it comes through, of some five seconds each; until it is cut off, seconds
# and looks at most. The slowest plugin with its defaults takes half of that.
TRIES = 6
WITHIN, MOST = 90.0, 45

# Seconds from which on it is said what delays it.
SLOW = 5.0

_WHOSE = {BARE: "a bare pod", REPLICA: "a ReplicaSet's pod"}
_KEPT = "open connections last until the pod is gone: delete the pods of such alerts instead"

Clock = Callable[[], float]


@dataclass(frozen=True)
class Cut:
    """What still comes through in the end, and seconds after which the rest was cut off."""

    heard: Heard
    new: float
    open: float


def look(
    cluster: ClusterObjects,
    image: str,
    *,
    sleep: Sleep,
    policy: str = "kubernetes",
    clock: Clock = time.monotonic,
) -> List[Finding]:
    """``policy``: as ``ISOLATE_POLICY``. Leaves nothing behind, however it ends. Raises
    DeploymentError."""
    with Interruptions() as interruptions:
        kind = _kind(cluster, policy)
        pods = ProbePods(
            *(cluster, image), sleep=sleep, check=interruptions.check, policy=kind, clock=clock
        )
        tell(
            "",
            [
                f"two pods in namespace {pods.namespace} test it, for about a minute; for up to"
                " four where it takes long"
            ],
        )
        try:
            pods.begin()
            findings: List[Finding] = []
            for each in KINDS:
                findings += evaluated(ENFORCED, partial(_of, cluster, pods, each, kind, clock))
            return findings
        finally:
            _end(pods)


def _kind(cluster: ClusterObjects, policy: str) -> PolicyKind:
    """That of the policies with which it is tried: of those that are deployed."""
    if policy not in (denying.AUTO, *denying.KINDS) or denying.KINDS.get(policy) == NETWORK_POLICY:
        return NETWORK_POLICY
    served = {api for apis in preflight.groups(cluster).values() for api in apis}
    return denying.wanted(policy, [kind for kind in denying.KINDS.values() if kind.api in served])


def _of(
    cluster: ClusterObjects, pods: ProbePods, kind: str, policy: PolicyKind, clock: Clock
) -> List[Finding]:
    pods.talk()
    through = Heard(open=True, new=True)
    if not any(pods.heard() == through for _ in range(TRIES)):
        raise DeploymentError("its probe pods do not reach each other, without any policy")
    pods.isolate(kind)
    found = _cut(pods, clock)
    pods.release(kind)
    return [_new(cluster, kind, policy, found), _open(cluster, kind, found)]


def _cut(pods: ProbePods, clock: Clock) -> Cut:
    """Once both are cut off, or the time is over."""
    began, wanted = clock(), Heard(open=False, new=False)
    for _ in range(MOST):
        found = pods.heard()
        if found == wanted or clock() - began > WITHIN:
            break
    new, open_ = (max(0.0, last - began) for last in (found.new_last, found.open_last))
    return Cut(found, new, open_)


def _new(cluster: ClusterObjects, kind: str, policy: PolicyKind, found: Cut) -> Finding:
    check = f"policy, {kind}, new"
    if not found.heard.new:
        said = f"{_WHOSE[kind]} is cut off from new connections after {found.new:.1f}s"
        return Finding(check, OK, said + _why(cluster, found.new))
    plugin = f"a network plugin that enforces {policy.several}"
    do = network_plugin.delays(cluster) or f"use {plugin}: without one, isolate has no effect"
    said = f"a policy does not stop new connections of {_WHOSE[kind]} within {WITHIN:g}s"
    return Finding(check, FAILED, said, do)


def _open(cluster: ClusterObjects, kind: str, found: Cut) -> Finding:
    check = f"policy, {kind}, open"
    if not found.heard.open:
        said = f"{_WHOSE[kind]} is cut off from connections that were open after {found.open:.1f}s"
        return Finding(check, OK, said + _why(cluster, found.open))
    said = f"a policy does not cut connections of {_WHOSE[kind]} that are open already"
    return Finding(check, WARNING, said, _KEPT)


def _why(cluster: ClusterObjects, seconds: float) -> str:
    """Why it took so long, where that is seen."""
    delays = network_plugin.delays(cluster) if seconds > SLOW else ""
    return f" ({delays})" if delays else ""


def _end(pods: ProbePods) -> None:
    try:
        pods.end()
    except PlaybookError as error:
        by_hand = f"kubectl delete namespace {pods.namespace}"
        tell("warning", [f"the probe pods were not deleted (run: {by_hand}): {error}"])
