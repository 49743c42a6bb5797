"""What specs and tests of a playbook need: a cluster in memory, other fakes, and example objects.

Public: names of ``__all__`` stay as they are while the major version does, and no playbook that is
deployed imports any of it. In the vocabulary of these names:

- ``InMemoryCluster(*objects)`` is the port of the cluster that reactions get. It holds pods, nodes
  and manifests, ``calls`` says what was called, and ``failures["pod"] = [error]`` makes the next
  call of a method raise. It is held to the same examples as the client of the real API.
- ``some_collaborators(cluster)`` is everything that a playbook is wired with: that cluster, a clock
  that stands at ``NOW``, a ledger in memory, and no recorder.
- ``a_pod()``, ``an_alert()`` and their like are valid objects that fit together: the alert is about
  the pod, and its container id proves it. Give what matters to your example: ``a_pod("web-1")``.

For example::

    cluster = InMemoryCluster(a_pod())
    outcome = playbook.responder({}, some_collaborators(cluster)).answer(an_alert())
    assert outcome.reason == "deletion-accepted"

It needs no test framework. docs/extending.md has an example that runs.
"""

from playbooks.testing.fakes import (
    FakeEvidence,
    FakeOwnPod,
    FakeReaction,
    FixedClock,
    InMemoryCluster,
    InMemoryLedger,
    RecordingNotifier,
    RecordingSlack,
    RecordingWebhook,
    some_collaborators,
)
from playbooks.testing.mothers import (
    CONTAINER,
    EARLIER,
    NOW,
    OTHER_CONTAINER,
    OTHER_UID,
    OWNER_UID,
    UID,
    a_claim,
    a_document,
    a_host_alert,
    a_namespace,
    a_new_policy,
    a_node,
    a_pod,
    a_policy,
    a_ready_node,
    a_replica_controller,
    a_service,
    a_static_pod,
    a_status,
    an_action,
    an_alert,
    an_audit_alert,
    an_event,
)

__all__ = [
    "CONTAINER",
    "EARLIER",
    "NOW",
    "OTHER_CONTAINER",
    "OTHER_UID",
    "OWNER_UID",
    "UID",
    "FakeEvidence",
    "FakeOwnPod",
    "FakeReaction",
    "FixedClock",
    "InMemoryCluster",
    "InMemoryLedger",
    "RecordingNotifier",
    "RecordingSlack",
    "RecordingWebhook",
    "a_claim",
    "a_document",
    "a_host_alert",
    "a_namespace",
    "a_new_policy",
    "a_node",
    "a_pod",
    "a_policy",
    "a_ready_node",
    "a_replica_controller",
    "a_service",
    "a_static_pod",
    "a_status",
    "an_action",
    "an_alert",
    "an_audit_alert",
    "an_event",
    "some_collaborators",
]
