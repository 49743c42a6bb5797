"""What deploying again changes only once somebody confirms it: settings that are lost, topics that
are no longer answered, and rights that the function does not have yet."""

from __future__ import annotations

import re
import sys
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from playbooks.core import subjects
from playbooks.core.cluster.manifest import Identity, Manifest, identity
from playbooks.core.settings import Setting
from playbooks.deployment.apply.steps import Objects
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.request.assignments import Given, Reference
from playbooks.deployment.terminal import confirmed, print_messages

# Place (a namespace, or empty for the whole cluster), resource, verb.
Right = Tuple[str, str, str]

_NONE = "not set"
_PASSWORD = re.compile(r"(://)[^/@\s]+@")


def confirm(found: Sequence[str], *, agreed: bool, reusable: bool) -> None:
    """Raises DeploymentError unless somebody agrees to these changes. ``agreed``: by --yes.
    ``reusable``: whether --reuse-settings would keep what is deployed."""
    if not found:
        return
    if agreed:
        print_messages("warning", found)
    elif not sys.stdin.isatty():
        keep = "--reuse-settings keeps what is deployed, " if reusable else ""
        advice = f"nothing was changed; {keep}--yes agrees to these changes"
        said = "this would lose settings or topics, or give more rights:"
        raise DeploymentError("\n".join([said, *found, advice]))
    elif not confirmed(found):
        raise DeploymentError("nothing was changed")


def changes_to_confirm(
    found: Mapping[Identity, Manifest], objects: Objects, settings: Sequence[Setting]
) -> List[str]:
    """Lines such as ``NAMESPACES: was shop, now not set``; none for a first deployment.

    ``found``: what is deployed of the function. ``settings``: of its playbook and its engine.
    """
    deployed = found.get(identity(objects.function))
    if deployed is None:
        return []
    before, now = (record.given(m, settings) for m in (deployed, objects.function))
    return [
        *lost_settings(before, [each.name for each in now], settings),
        *lost_topics(
            [m["spec"]["topic"] for m in found.values() if m["kind"] == "NATSTrigger"],
            [m["spec"]["topic"] for m in objects.triggers],
        ),
        *wider_rights(found.values(), objects.accessories),
    ]


def lost_settings(
    before: Sequence[Given], now: Collection[str], settings: Sequence[Setting]
) -> List[str]:
    """``before``: what was given. ``now``: the names that are given."""
    known = {setting.name: setting for setting in settings}
    lost = [_lost(each, known.get(each.name)) for each in before if each.name not in now]
    return [line for line in lost if line]


def lost_topics(before: Iterable[str], now: Iterable[str]) -> List[str]:
    was, wanted = sorted(before), sorted(now)
    lost = [topic for topic in was if not any(subjects.covers(each, topic) for each in wanted)]
    return [was_now("topics", _listed(was), _listed(wanted))] if lost else []


def was_now(what: str, was: object, now: object) -> str:
    return f"{what}: was {was}, now {now}"


def without_password(text: str) -> str:
    """The text with stars for users and passwords in its URLs."""
    return _PASSWORD.sub(r"\1***@", text)


def _lost(given: Given, setting: Optional[Setting]) -> Optional[str]:
    default = setting.default if setting else None
    now = f"{default} (default)" if default else _NONE
    if isinstance(given, Reference):
        return was_now(given.name, f"the key {given.key} of Secret {given.secret}", now)
    if given.text == (default or ""):
        return None
    hidden = setting is not None and setting.secret
    was = "set (not shown)" if hidden else without_password(given.text)
    return was_now(given.name, was, now)


def _granted(manifests: Iterable[Manifest]) -> Set[Right]:
    return {
        (m["metadata"].get("namespace", "") if m["kind"] == "Role" else "", resource, verb)
        for m in manifests
        if m["kind"] in ("Role", "ClusterRole")
        for rule in m.get("rules") or ()
        for resource in _resources(rule)
        for verb in rule.get("verbs") or ()
    }


def _resources(rule: Mapping[str, Any]) -> List[str]:
    """As ``kubectl auth can-i`` names them: RESOURCE.GROUP/NAME."""
    names = [f"/{name}" for name in rule.get("resourceNames") or ()] or [""]
    groups = [f".{group}" if group else "" for group in rule.get("apiGroups") or ("",)]
    resources = rule.get("resources") or ()
    return [f"{r}{group}{name}" for r in resources for group in groups for name in names]


def wider_rights(deployed: Iterable[Manifest], made: Iterable[Manifest]) -> List[str]:
    """What the roles among these objects grant beyond what they granted: one line for all rights
    that were in the same places and are to be in the same ones."""
    before, now = _granted(deployed), _granted(made)
    verbs: Dict[Tuple[str, str], Dict[str, List[str]]] = {}
    for _, resource, verb in sorted({("", *right[1:]) for right in now - before}):
        was, wanted = (_places(rights, resource, verb) for rights in (before, now))
        if wanted <= was or "" in was or _every_name(resource, verb, wanted, before):
            continue
        places = _described(was), _described(wanted)
        verbs.setdefault(places, {}).setdefault(resource, []).append(verb)
    return [
        was_now(f"rights to {'; '.join(f'{_listed(v)} {r}' for r, v in of.items())}", was, wanted)
        for (was, wanted), of in verbs.items()
    ]


def _places(rights: Set[Right], resource: str, verb: str) -> Set[str]:
    return {place for place, r, v in rights if (r, v) == (resource, verb)}


def _every_name(resource: str, verb: str, wanted: Set[str], before: Set[Right]) -> bool:
    """Whether a right on some names was one on every name."""
    was = _places(before, resource.partition("/")[0], verb)
    return "/" in resource and ("" in was or wanted <= was)


def _described(places: Set[str]) -> str:
    return "the whole cluster" if "" in places else _listed(sorted(places)) or "not granted"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
