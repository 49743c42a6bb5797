"""What the account of a playbook may change in all: what its reaction declares, in the namespaces
that the guards let it act in, its ledger, and Events about that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from playbooks.core import guards
from playbooks.core.cluster import api_object
from playbooks.core.cluster.changes import ACCOUNT, CREATE, DELETE, UPDATE, Body, Changes, Rule
from playbooks.core.cluster.manifest import LEDGER, Manifest
from playbooks.core.cluster.permissions import ACCOUNTS
from playbooks.core.guards.filters import OnlyNamespaces
from playbooks.core.instant import Instant
from playbooks.core.notifications import event
from playbooks.core.outcome import Outcome, Status, TargetRef
from playbooks.core.playbook import Playbook
from playbooks.core.reaction import OBJECTS


def changes(playbook: Playbook) -> Tuple[Changes, ...]:
    """Those of a playbook, by resource and operation."""
    reaction = playbook.reaction
    if not playbook.acts:
        return playbook.changes
    within = [rule for guard in guards.ORDER for rule in guard.RULES]
    kinds = reaction.KINDS or (reaction.TARGETS[:-1].capitalize(),)
    asked_of = _ASKED_OF if reaction.TARGETS == OBJECTS else reaction.TARGETS
    events = _of_events(playbook.name, asked_of, kinds)
    # Nodes belong to no namespace.
    of_namespaces = OnlyNamespaces.RULES if reaction.TARGETS != "nodes" else ()
    return (
        *(each.also(*within) if each.in_namespaces else each for each in playbook.changes),
        OF_THE_LEDGER,
        events.also(*(_or_in_no_namespace(each, kinds) for each in of_namespaces)),
    )


# Kinds that belong to no namespace: an Event about one names an empty one.
_CLUSTER_WIDE = ("Node", *(kind.kind for kind in api_object.KINDS if kind.cluster_wide))

# With what of them check tries what is written about objects of several kinds: every namespace has
# one.
_ASKED_OF = "serviceaccounts"

_SAME = " && ".join(
    f"object.metadata.?{part} == oldObject.metadata.?{part}"
    for part in ("labels", "annotations", "ownerReferences", "finalizers")
)

# Its role names the one ConfigMap.
OF_THE_LEDGER = Changes(
    "configmaps",
    operations=(UPDATE, CREATE, DELETE),
    rules=(
        Rule(
            "makes and deletes no ledger",
            "request.operation == 'UPDATE' || request.operation == 'DELETE'"
            f" && !('{LEDGER}' in oldObject.metadata.?labels.orValue({{}}))",
        ),
        Rule(
            "changes of its ledger nothing but the data",
            f"request.operation != 'UPDATE' || {_SAME}",
            broken_by=lambda *_: {"metadata": {"labels": {"falco-check": "dry-run"}}},
        ),
        Rule(
            "writes text to its ledger, and does not make it immutable",
            "request.operation != 'UPDATE'"
            " || !has(object.immutable) && object.?binaryData == oldObject.?binaryData",
            broken_by=lambda *_: {"immutable": True},
        ),
    ),
    allowed=lambda *_: {"data": {"check": "dry-run"}},
)


_KIND = "object.regarding.?kind.orValue('')"


def _or_in_no_namespace(rule: Rule, kinds: Sequence[str]) -> Rule:
    """Events about such objects lie in no namespace in which the playbook acts."""
    found = [kind for kind in kinds if kind in _CLUSTER_WIDE]
    about = " || ".join(f"{_KIND} == '{kind}'" for kind in found)
    return replace(rule, cel=f"{about} || ({rule.cel})") if found else rule


def _of_events(playbook: str, targets: str, kinds: Sequence[str]) -> Changes:
    """What the account of a playbook may write as Events. ``targets``: pods or nodes. ``kinds``:
    those of the objects that it reports on."""
    place = "object.regarding.?namespace.orValue('')"
    places = {kind: "''" if kind in _CLUSTER_WIDE else "request.namespace" for kind in kinds}
    about = " || ".join(
        f"{_KIND} == '{kind}' && {place} == {expected}" for kind, expected in places.items()
    )
    named = " and ".join(f"{kind.lower()}s" for kind in kinds)
    labels = "object.metadata.?labels.orValue({})"
    whose = f"'{ACCOUNTS}' + {labels}[?'{event.HOME}'].orValue('') + ':'"

    def with_(**changes: Any) -> Body:
        return lambda target, texts: {**_tried(playbook, target, texts[ACCOUNT]), **changes}

    return Changes(
        "events",
        group="events.k8s.io",
        operations=(CREATE, UPDATE),
        rules=(
            Rule(
                f"reports as {event.CONTROLLER}/{playbook}",
                f"object.?reportingController.orValue('') == '{event.CONTROLLER}/{playbook}'",
                broken_by=with_(reportingController="falco-check"),
            ),
            Rule(
                "reports as its own account",
                "request.userInfo.username.startsWith(object.?reportingInstance.orValue('-'))"
                f" && [size(request.userInfo.username), {event.LONGEST_WORD}]"
                ".exists(n, n == size(object.reportingInstance))",
                broken_by=with_(reportingInstance="falco-check"),
            ),
            Rule(
                "labels an Event with its own function",
                f"{whose} + {labels}[?'{event.FUNCTION}'].orValue('') == request.userInfo.username",
                broken_by=with_(metadata={"name": "falco-check.1", "labels": {}}),
            ),
            Rule(
                f"writes Events about {named} only, and into their namespace",
                about,
                broken_by=lambda target, texts: _about_a_lease(with_()(target, texts)),
            ),
        ),
        asked_of=targets,
        allowed=with_(),
    )


def _tried(playbook: str, target: Mapping[str, Any], user: str) -> Dict[str, Any]:
    """An Event about an object as the account of a function would write it."""
    metadata = target["metadata"]
    namespace = metadata.get("namespace", "")
    home, _, function = user[len(ACCOUNTS) :].partition(":")
    target_ref = TargetRef("check", target["kind"], metadata["name"], namespace, metadata["uid"])
    outcome = Outcome(Status.ACTED, "check", "a dry run", target_ref=target_ref)
    made = event.event(
        outcome, Instant(0), playbook=playbook, function=function, home=home, instance="check"
    )
    assert made is not None
    return made


def _about_a_lease(made: Optional[Manifest]) -> Optional[Manifest]:
    return made and {**made, "regarding": {**made["regarding"], "kind": "Lease"}}
