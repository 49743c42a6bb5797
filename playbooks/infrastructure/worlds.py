"""The real world of a playbook that acts on the cluster."""

from __future__ import annotations

from typing import Optional, Tuple

from playbooks.core import telling
from playbooks.core.evidence import settings as evidence
from playbooks.core.ports import Clock, Cluster, Evidence, Home, Recorder
from playbooks.core.redaction import Redaction
from playbooks.core.settings import Settings
from playbooks.core.world import ClusterWorld
from playbooks.infrastructure.clock import SystemClock
from playbooks.infrastructure.config_map_ledger import ConfigMapLedger
from playbooks.infrastructure.evidence_files import EvidenceFiles
from playbooks.infrastructure.evidence_keeper import EvidenceKeeper
from playbooks.infrastructure.home import ThisPod
from playbooks.infrastructure.kubernetes_api import KubernetesApi
from playbooks.infrastructure.kubernetes_cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes_events import KubernetesEvents


def kubernetes(playbook: str, settings: Settings) -> ClusterWorld:
    """The cluster of the pod, or that of the kubeconfig. Nothing is connected yet."""
    api, home, clock = KubernetesApi(), ThisPod(), SystemClock()
    function = "" if settings["LEDGER"] else f"falco-{playbook}"
    namespace, name = settings["LEDGER"] or ("", f"{function}-ledger")
    ledger = ConfigMapLedger(
        api, namespace=namespace or home.namespace, name=name, function=function
    )
    recorders = _recorders(playbook, settings, api, home, clock)
    cluster = KubernetesCluster(api)
    kept = evidence_of(settings, cluster, clock)
    return ClusterWorld(clock, home, cluster, ledger, recorders, kept)


def _recorders(
    playbook: str, settings: Settings, api: KubernetesApi, home: Home, clock: Clock
) -> Tuple[Recorder, ...]:
    events = KubernetesEvents(api, playbook, home, clock)
    if not settings[telling.OUTCOMES.name]:
        return (events,)
    # Only here: nothing else of a playbook that acts wants requests.
    from playbooks.infrastructure.slack_recorder import SlackRecorder
    from playbooks.infrastructure.slack_webhook import SlackWebhook

    return (events, SlackRecorder(SlackWebhook(settings[telling.WEBHOOK.name]), playbook))


def evidence_of(settings: Settings, cluster: Cluster, clock: Clock) -> Optional[Evidence]:
    """What keeps evidence, where the playbook has a setting for it and it is not empty."""
    if not settings.get(evidence.URL.name):
        return None
    redact = Redaction.of(settings).text
    return EvidenceKeeper(cluster, EvidenceFiles(settings), clock, redact, settings)
