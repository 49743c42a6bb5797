"""What is wrong with the declaration of a playbook: found where it is loaded, before an alert or a
deployment meets it."""

from __future__ import annotations

from inspect import getattr_static, isabstract, iscoroutinefunction, signature
from typing import Any, Callable, Dict, Iterator, Tuple

from playbooks.core import guards
from playbooks.core.cluster.changes import Changes
from playbooks.core.cluster.manifest import PREFIX
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment.containment import OWN_KEYS, Containment
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.core.reaction import OBJECTS, Reaction
from playbooks.core.settings import VARIABLE, Setting

TARGETS = ("pods", "nodes", OBJECTS, "")

# Those of Kubernetes' own resources. APIs of others may have verbs of their own.
# Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#request-verb-resource
VERBS = (
    *("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
    *("proxy", "use", "bind", "escalate", "impersonate", "approve", "sign", "attest", "*"),
)


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
    if _is_lacking(reaction):
        yield f"declares {name} without {_missing(reaction)}, which a Reaction has to have"
    if not _takes(_of_instance(reaction, "plan"), None):
        yield f"declares {name}.{_called('plan', reaction.plan)}, expected plan(self, alert)"
    if iscoroutinefunction(reaction.plan):
        yield f"declares async {name}.plan, expected a function that is not"
    if not _takes(playbook.build, None, None):
        said = _called("build", playbook.build)
        yield f"declares {said}, expected build(settings, collaborators)"
    if reaction.TARGETS not in TARGETS:
        expected = ", ".join(filter(None, TARGETS))
        yield f"declares {name}.TARGETS = {reaction.TARGETS!r}, expected one of {expected}"
    # Of these, two are added to tuples of ours.
    declared: Tuple[Tuple[str, Any, type, Any], ...] = (
        ("packages", playbook.packages, str, (tuple, list)),
        (f"{name}.SETTINGS", reaction.SETTINGS, Setting, (tuple,)),
        (f"{name}.PERMISSIONS", reaction.PERMISSIONS, Permission, (tuple,)),
        (f"{name}.CHANGES", reaction.CHANGES, Changes, (tuple, list)),
    )
    for what, found, kind, collections in declared:
        if not isinstance(found, collections):
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
    seen: Dict[str, Setting] = {}
    for setting in reaction.SETTINGS:
        said = f"declares the setting {setting.name}"
        if not VARIABLE.fullmatch(setting.name):
            yield f"{said}, expected the name of a variable"
        if seen.setdefault(setting.name, setting) != setting:
            yield f"{said} twice, each time in another way"
        if of_all.get(setting.name, setting) != setting:
            yield f"{said}, which every playbook has: expected another name"
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
        of_others = "." in each.group and not each.group.endswith(".k8s.io")
        if not isinstance(each.verbs, tuple):
            yield f"{said}, expected a tuple, such as ('get', 'patch')"
        elif set(each.verbs) - set(VERBS) and not of_others:
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
    if _is_lacking(ends):
        yield f"declares {ends.__name__} without {_missing(ends)}, which a Containment has to have"
    for what in ("KINDS", "KEYS"):
        found = getattr(ends, what, None)
        if not isinstance(found, (tuple, list)) or not all(isinstance(e, str) for e in found):
            yield f"declares {ends.__name__}.{what} = {_shown(found)}, expected a tuple of str"
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


def _is_lacking(declared: Any) -> bool:
    """Whether neither it nor what is derived from it, which may be what is made, has everything."""
    return isabstract(declared) and not declared.__subclasses__()


def _of_instance(declared: type, name: str) -> Any:
    """What an instance has under this name: a function of the class without ``self``."""
    found = getattr_static(declared, name)
    return found.__get__(object(), declared) if hasattr(found, "__get__") else found


def _takes(called: Callable[..., Any], *given: object) -> bool:
    try:
        # As it is called, whatever it wraps.
        signature(called, follow_wrapped=False).bind(*given)
    except TypeError:
        return False
    except ValueError:  # it has none that can be read
        pass
    return True


def _called(name: str, found: Any) -> str:
    if not callable(found):
        return f"{name} = {_shown(found)}"
    return f"{name}{signature(found, follow_wrapped=False)}"


def _missing(abstract: Any) -> str:
    return ", ".join(sorted(abstract.__abstractmethods__))


def _shown(found: Any) -> str:
    return f"{found!r:.80}"
