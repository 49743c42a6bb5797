"""The real collaborators of a playbook that acts on the cluster."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import List, Optional, Tuple

from playbooks.core.cluster.manifest import function_name
from playbooks.core.evidence import settings as evidence
from playbooks.core.ledger.limits import ledger_name
from playbooks.core.notifications import settings as notifications
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.playbook import Playbook
from playbooks.core.ports import (
    Clock,
    Cluster,
    ClusterCollaborators,
    Evidence,
    Ledger,
    LedgerStore,
    Recorder,
)
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Settings
from playbooks.infrastructure.conditions import cel
from playbooks.infrastructure.evidence.files import EvidenceFiles
from playbooks.infrastructure.evidence.keeper import EvidenceKeeper
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.events import KubernetesEvents
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.this_pod import SystemClock, ThisPod

# The distributions that the client of the Kubernetes API imports.
PACKAGES = ("urllib3", "pyyaml")


def kubernetes(
    playbook: str, settings: Settings, api: Optional[KubernetesApi] = None
) -> ClusterCollaborators:
    """``api``: that of the cluster of the pod, or of the kubeconfig. Nothing is connected yet."""
    api, own_pod, clock = api or KubernetesApi(), ThisPod(), SystemClock()
    function = "" if settings["LEDGER"] else function_name(playbook)
    namespace, name = settings["LEDGER"] or ("", ledger_name(function))
    stored = ConfigMapLedger(
        api, namespace=namespace or own_pod.namespace, name=name, function=function
    )
    return of_cluster(
        KubernetesCluster(api),
        stored,
        playbook,
        settings,
        namespace=own_pod.namespace,
        events=(KubernetesEvents(api, playbook, own_pod, clock),),
    )


def of_cluster(
    cluster: Cluster,
    store: LedgerStore,
    playbook: str,
    settings: Settings,
    *,
    namespace: str = "",
    events: Tuple[Recorder, ...] = (),
) -> ClusterCollaborators:
    """Of any cluster, such as one in memory. ``store``: of the ledger. ``namespace``: of the
    function. ``events``: recorders of the cluster itself, beside those that the settings ask for.
    """
    clock, ledger = SystemClock(), StoredLedger(store)
    return ClusterCollaborators(
        clock,
        ThisPod(),
        cluster,
        ledger,
        (*events, *recorders(playbook, settings, ledger, clock, namespace)),
        evidence_of(settings, cluster, clock),
        cel.condition,
    )


def on(playbook: Playbook, api: KubernetesApi) -> Playbook:
    """The playbook, which acts on a cluster, acting on this one and no other."""
    return replace(playbook, collaborators=partial(kubernetes, api=api))


def recorders(
    playbook: str, settings: Settings, ledger: Ledger, clock: Clock, namespace: str = ""
) -> Tuple[Recorder, ...]:
    """What tells others of outcomes, where the settings ask for it. ``namespace``: of the
    function."""
    options = MessageOptions.of(settings, namespace)
    found: List[Recorder] = []
    # Imported only here: nothing else of a playbook that acts wants requests.
    if settings[notifications.OUTCOMES.name]:
        from playbooks.infrastructure.webhooks import SlackRecorder, SlackWebhook

        slack = SlackWebhook(settings[notifications.WEBHOOK.name])
        found.append(SlackRecorder(slack, playbook, ledger, clock, options))
    if notifications.PROGRAM in settings[notifications.TO.name]:
        from playbooks.infrastructure.webhooks import SignedWebhook, WebhookRecorder

        url, keys = (settings[each.name] for each in notifications.OF_PROGRAM)
        found.append(WebhookRecorder(SignedWebhook(url, keys, clock), playbook, options))
    if notifications.PEOPLE in settings[notifications.TO.name]:
        from playbooks.infrastructure.notifier import AppriseNotifier, NotifyRecorder

        notifier = AppriseNotifier(settings[notifications.SERVICES.name])
        found.append(NotifyRecorder(notifier, playbook, ledger, clock, options))
    return tuple(found)


def evidence_of(settings: Settings, cluster: Cluster, clock: Clock) -> Optional[Evidence]:
    """What keeps evidence, where the playbook has a setting for it and it is not empty."""
    if not settings.get(evidence.URL.name):
        return None
    redaction = Redaction.of(settings)
    return EvidenceKeeper(cluster, EvidenceFiles(settings), clock, redaction, settings)
