"""What is wrong with the declaration of a playbook: found where it is loaded, before an alert or a
deployment meets it."""

from __future__ import annotations

import re
from inspect import isabstract, iscoroutinefunction, signature
from typing import Any, Callable, Iterator, Tuple

from playbooks.core import guards
from playbooks.core.cluster.changes import Changes
from playbooks.core.cluster.manifest import PREFIX
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment.containment import OWN_KEYS, Containment
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.core.reaction import OBJECTS, Reaction
from playbooks.core.settings import Setting

TARGETS = ("pods", "nodes", OBJECTS, "")

# Those of resources that kubectl takes for a role.
# Source: https://kubernetes.io/docs/reference/kubectl/generated/kubectl_create/kubectl_create_role/
VERBS = (
    *("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
    *("proxy", "use", "bind", "escalate", "impersonate", "*"),
)

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def problem(playbook: Playbook) -> str:
    """The first thing that is wrong, as it goes on after the name of the file; empty for nothing.

    What is not looked at: whether ``build`` and ``plan`` do what they should.
    """
    return next(_problems(playbook), "")


def _problems(playbook: Playbook) -> Iterator[str]:
    reaction: Any = playbook.reaction
    if not isinstance(reaction, type) or not issubclass(reaction, Reaction):
        yield f"declares the reaction {_shown(reaction)}, expected a subclass of Reaction"
        return
    name = reaction.__name__
    if isabstract(reaction):
        yield f"declares {name} without {_missing(reaction)}, which a Reaction has to have"
    elif not _takes(reaction.plan, None, None):
        yield f"declares {name}.plan{signature(reaction.plan)}, expected plan(self, alert)"
    elif iscoroutinefunction(reaction.plan):
        yield f"declares async {name}.plan, expected a function that is not"
    if not _takes(playbook.build, None, None):
        yield f"declares {_called(playbook.build)}, expected build(settings, collaborators)"
    if reaction.TARGETS not in TARGETS:
        expected = ", ".join(filter(None, TARGETS))
        yield f"declares {name}.TARGETS = {reaction.TARGETS!r}, expected one of {expected}"
    declared: Tuple[Tuple[str, Any, type], ...] = (
        ("packages", playbook.packages, str),
        (f"{name}.SETTINGS", reaction.SETTINGS, Setting),
        (f"{name}.PERMISSIONS", reaction.PERMISSIONS, Permission),
        (f"{name}.CHANGES", reaction.CHANGES, Changes),
    )
    for what, found, kind in declared:
        if not isinstance(found, tuple):
            yield f"declares {what} of {type(found).__name__}, expected a tuple of {kind.__name__}"
            return
        others = [each for each in found if not isinstance(each, kind)]
        if others:
            yield f"declares {what} with {_shown(others[0])}, expected a {kind.__name__}"
            return
    yield from _settings(reaction, playbook)
    yield from _permissions(reaction)
    yield from _containment(reaction)


def _settings(reaction: Any, playbook: Playbook) -> Iterator[str]:
    of_all = {setting.name: setting for setting in guards.settings(acts=playbook.acts)}
    seen = set()
    for setting in reaction.SETTINGS:
        said = f"declares the setting {setting.name}"
        if not _VARIABLE.fullmatch(setting.name):
            yield f"{said}, expected a name of letters, digits and '_', as of a variable"
        if setting.name in seen:
            yield f"{said} twice"
        if of_all.get(setting.name, setting) != setting:
            yield f"{said}, which every playbook has: expected another name"
        seen.add(setting.name)
        if setting.default is None:
            continue
        if not isinstance(setting.default, str):
            yield f"{said} with the default {setting.default!r}, expected text, as it is typed"
            continue
        try:
            setting.check(setting.default)
        except InvalidSetting as error:
            yield f"{said} with a default that it does not take: {error}"


def _permissions(reaction: Any) -> Iterator[str]:
    for each in reaction.PERMISSIONS:
        said = f"declares the permission on {each.resource} with the verbs {each.verbs!r}"
        if not _is_tuple_of(each.verbs, str):
            yield f"{said}, expected a tuple, such as ('get', 'patch')"
        elif set(each.verbs) - set(VERBS):
            yield f"{said}, expected some of {', '.join(VERBS)}"


def _containment(reaction: Any) -> Iterator[str]:
    name, ends = reaction.__name__, reaction.CONTAINMENT
    if ends is None:
        if reaction.TTL:
            yield (
                f"declares {name}.TTL and no CONTAINMENT: nothing says how what it leaves ends,"
                " expected both"
            )
        return
    if not isinstance(ends, type) or not issubclass(ends, Containment):
        yield f"declares {name}.CONTAINMENT = {_shown(ends)}, expected a subclass of Containment"
        return
    if isabstract(ends):
        yield f"declares {ends.__name__} without {_missing(ends)}, which a Containment has to have"
    for what in ("KINDS", "KEYS"):
        if not _is_tuple_of(getattr(ends, what, None), str):
            found = _shown(getattr(ends, what, None))
            yield f"declares {ends.__name__}.{what} = {found}, expected a tuple of str"
            return
    if not all(key.startswith(PREFIX) for key in ends.KEYS):
        yield (
            f"declares {ends.__name__}.KEYS = {_shown(ends.KEYS)}, expected keys that begin with"
            f" {OWN_KEYS}"
        )
    if reaction.TTL and reaction.TTL not in [setting.name for setting in reaction.SETTINGS]:
        yield (
            f"declares {name}.TTL = {reaction.TTL!r}, which is none of its SETTINGS: add"
            f" lifetime.ttl({reaction.TTL!r}, ...)"
        )


def _is_tuple_of(found: Any, kind: type) -> bool:
    return isinstance(found, tuple) and all(isinstance(each, kind) for each in found)


def _takes(called: Callable[..., Any], *given: object) -> bool:
    try:
        signature(called).bind(*given)
    except TypeError:
        return False
    except ValueError:  # it has none that can be read
        pass
    return True


def _called(build: Any) -> str:
    return f"build{signature(build)}" if callable(build) else f"build = {_shown(build)}"


def _missing(abstract: Any) -> str:
    return ", ".join(sorted(abstract.__abstractmethods__))


def _shown(found: Any) -> str:
    return f"{found!r:.80}"
