"""The generated part of the chart, which ``playbooks.deployment.generate`` writes.

Objects are those that ``-S`` and ``-E kubernetes -i`` make: what differs from one deployment to the
next is replaced by a template expression. The chart's own templates loop over values.yaml.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any, Dict, Iterator, List, Mapping, Match, Optional, Sequence, cast

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import Manifest, function_name
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.permissions import OWN
from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.filters import NAMESPACES
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Setting
from playbooks.deployment.apply import set_up
from playbooks.deployment.engines.engine import IMAGE, Invocation
from playbooks.deployment.engines.existing import Existing
from playbooks.deployment.engines.kubernetes import ENGINE
from playbooks.deployment.manifests import worker
from playbooks.deployment.manifests.admission_policies import BINDING, PARAMETERS, Bound
from playbooks.deployment.manifests.worker import REVISION
from playbooks.deployment.manifests.worker_pod import SHUTDOWN, SPARE
from playbooks.deployment.removal.client import Client
from playbooks.deployment.request.options import DEFAULT_RUNTIME, Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.request.worker_settings import TOKEN, FileSetting
from playbooks.deployment.terminal import documents
from playbooks.engines.worker import watched

# What stands for what differs: text that nothing else has.
_NAMESPACE, _TOPIC, _IMAGE = "chartnamespace", "falco.chart.topic", "chart/image:1"

# A key or an element whose value is a template expression, which brings its own lines.
_HOLE = re.compile(r"""^( *)(- |[\w./-]+: )['"]?@@(.*?)@@['"]?\n""", re.MULTILINE)

_GENERATED = "{{/* Made by: python -m playbooks.deployment.generate */}}\n"


def files() -> Mapping[str, str]:
    """The text of each generated file, by its path in the chart."""
    made = set_up.manifests()
    definitions = [m for m in made if m["kind"] == "CustomResourceDefinition"]
    others = _literal(documents([m for m in made if m not in definitions]))
    set_up_template = f"{_GENERATED}{{{{- if .Values.setUp }}}}\n{others}{{{{- end }}}}\n"
    found = {
        "crds/definitions.yaml": documents(definitions),
        "templates/set-up.yaml": set_up_template,
    }
    for name in catalogue.own_names():
        found[f"templates/_{name}.tpl"] = _GENERATED + _of(catalogue.load(name))
    return found


def _of(playbook: Playbook) -> str:
    known = [*playbook.settings, *ENGINE.settings]
    places = {p.namespace for p in playbook.permissions}
    facts = {
        "acts": playbook.acts,
        "keys": sorted(k for m in _made(playbook) if m["kind"] == "Secret" for k in m["data"]),
        "required": [s.name for s in playbook.settings if s.required],
        "secret": [s.name for s in known if s.secret],
        "files": [s.name for s in known if isinstance(s, FileSetting)],
        "own": OWN in places,
        "places": sorted(places - {"", OWN}),
    }
    return "".join(
        _define(f"falco-playbooks.{playbook.name}.{part}", text)
        for part, text in (
            ("facts", json.dumps(facts) + "\n"),
            ("rules", "".join(_rules(playbook))),
            ("objects", _objects(playbook)),
        )
    )


def _define(name: str, text: str) -> str:
    return f'{{{{- define "{name}" -}}}}\n{text}{{{{- end }}}}\n'


def _rules(playbook: Playbook) -> Iterator[str]:
    """Those that ``.place`` needs: a namespace, or the whole cluster where it is empty.
    ``.limited``: whether the playbook acts in the namespaces ``.namespaces`` only."""
    defaults = {setting.name: setting.default for setting in playbook.settings}
    view = watched.permissions(playbook, {})
    unlimited = [each for each in playbook.permissions if each.only_everywhere]
    unlimited += [p for p in view if p not in watched.permissions(playbook, {NAMESPACES: "one"})]
    for permission in (*playbook.permissions, *view):
        if permission.namespace == OWN:
            where = "eq .place .namespace"
        elif permission.namespace:
            where = f'eq .place "{permission.namespace}"'
        elif permission.cluster_wide:
            where = "not .place"
        else:
            where = "ternary (has .place .namespaces) (not .place) .limited"
        conditions = [f"({where})"]
        if permission in unlimited:
            conditions.append("(not .limited)")
        if permission in view:
            conditions.append(".watched")
        if permission.only_for:
            value = (
                f'get .env "{permission.only_with}" | default "{defaults[permission.only_with]}"'
            )
            listed = f'splitList "," (lower (nospace ({value})))'
            conditions.append(f'(has "{permission.only_for.lower()}" ({listed}))')
        elif permission.only_with:
            conditions.append(_is_on(permission.only_with, defaults))
        if permission.only_in:
            setting, names = permission.only_in
            listed = f'get .env "{setting}" | default "" | nospace | replace "?" "" | splitList ","'
            found = " ".join(f'(has "{name}" ({listed}))' for name in names)
            conditions.append(f"(or {found})")
        if permission.also_with:
            conditions.append(_is_on(permission.also_with, defaults))
        rule = {
            "apiGroups": [permission.group],
            "resources": [permission.resource],
            "verbs": list(permission.verbs),
        }
        yield f"{{{{- if and {' '.join(conditions)} }}}}\n- {json.dumps(rule)}\n{{{{- end }}}}\n"


def _is_on(setting: str, defaults: Mapping[str, Optional[str]]) -> str:
    value, default = f'get .env "{setting}"', defaults.get(setting) or ""
    if default not in ("", "off"):
        value = f'{value} | default "{default}"'
    return f'(not (has ({value}) (list "" "off")))'


def _function(playbook: Playbook) -> str:
    return function_name(f"{playbook.name}-chartfunction")


def _made(playbook: Playbook) -> List[Manifest]:
    function = _function(playbook)
    request = Request(
        playbook=playbook,
        function=function,
        topics=(_TOPIC,),
        runtime=DEFAULT_RUNTIME,
        values={},
        secrets=(),
        references=(),
        namespaces=(),
        settings=(*playbook.settings, *ENGINE.settings),
    )
    options = Options(namespace=_NAMESPACE, own={IMAGE.name: _IMAGE})
    invocation = Invocation(options, {}, cast(ClusterObjects, None), cast(Client, None))
    existing = Existing(bound=Bound(allowed=True), token="-" * 16, hash_key="-" * 16)
    made = ENGINE.objects(request, invocation, existing).in_order
    return [*made, *worker.disruption_budget(function, _NAMESPACE, 2)]


def _objects(playbook: Playbook) -> str:
    """All but roles, which differ by namespaces."""
    function = _function(playbook)
    own_role = f"{function}.{_NAMESPACE}"
    texts = [
        _filled(each, function, playbook.settings)
        for each in _made(playbook)
        if not each["kind"].endswith(("Role", "RoleBinding"))
        or each["metadata"]["name"] != own_role
    ]
    return "".join(f"---\n{text}" for text in texts)


def _is_duration(setting: Setting) -> bool:
    """Whether its text is a time such as 1h, and its value the seconds."""
    try:
        return bool(setting.check("1h") == 3600.0)
    except InvalidSetting:
        return False


def _with_holes(manifest: Manifest, settings: Sequence[Setting]) -> Manifest:
    """The object with @@...@@ where a template has to bring its own lines."""
    made: Manifest = json.loads(json.dumps(manifest))
    kind = made["kind"]
    if kind == "Secret":
        made["data"] = "@@secret@@"
    elif kind == "ConfigMap" and PARAMETERS in made["metadata"]["labels"]:
        kinds = {s.name: "duration" if _is_duration(s) else "parameter" for s in settings}
        made["data"] = {key: f"@@{kinds[key]} {key}@@" for key in made["data"]}
    elif kind == "NetworkPolicy":
        made["spec"].update(egress="@@egress@@", ingress="@@ingress@@")
    elif kind == "Deployment":
        made["spec"]["replicas"] = "@@replicas@@"
        template = made["spec"]["template"]
        template["metadata"]["annotations"][REVISION] = "@@revision@@"
        template["spec"]["terminationGracePeriodSeconds"] = "@@grace@@"
        _pod_with_holes(template["spec"])
    elif kind == "Function":
        pod = made["spec"]["deployment"]["spec"]["template"]["spec"]
        _pod_with_holes(pod)
    return made


def _pod_with_holes(pod: Dict[str, Any]) -> None:
    container = pod["containers"][0]
    container["env"] = [*_of_token(container["env"], "tokenEnv"), "@@env@@"]
    mounts = container.get("volumeMounts", ())
    container["volumeMounts"] = [*_of_token(mounts, "tokenMount"), "@@mounts@@"]
    pod["volumes"] = [*_of_token(pod.get("volumes", ()), "tokenVolume"), "@@volumes@@"]


def _of_token(elements: Sequence[Manifest], hole: str) -> List[Any]:
    """A hole in place of what hands the generated token over: not where one is given."""
    return [
        f"@@{hole}@@" if e["name"] == TOKEN.file_variable or e["name"].endswith("-vol") else e
        for e in elements
    ]


def _filled(manifest: Manifest, function: str, settings: Sequence[Setting]) -> str:
    text = _literal(documents([_with_holes(manifest, settings)]))
    text = _HOLE.sub(partial(_hole, manifest.get("data") or {}), text)
    text = text.replace(function, "{{ .function }}").replace(_NAMESPACE, "{{ .namespace }}")
    text = text.replace(_IMAGE, "{{ .image }}")
    if manifest["kind"] == "NATSTrigger":
        text = text.replace("{{ .function }}-trigger-0", "{{ $.function }}-trigger-{{ $index }}")
        text = text.replace("{{ .", "{{ $.").replace(_TOPIC, "{{ $topic | toJson }}")
        return f"{{{{- range $index, $topic := .topics }}}}\n---\n{text}{{{{- end }}}}\n"
    if manifest["kind"] == BINDING:
        return f"{{{{- if .held }}}}\n{text}{{{{- end }}}}\n"
    if manifest["kind"] == "PodDisruptionBudget":
        return f"{{{{- if gt (int .replicas) 1 }}}}\n{text}{{{{- end }}}}\n"
    return text


def _literal(text: str) -> str:
    """Whatever braces it has are none of a template's."""
    return re.sub(r"\{\{|\}\}", lambda found: f'{{{{ "{found[0]}" }}}}', text)


def _hole(defaults: Mapping[str, str], found: Match[str]) -> str:
    indent, start, what = found.groups()
    name, _, key = what.partition(" ")
    if name == "parameter":
        value = f'dig "{key}" {json.dumps(defaults[key])} .env'
        # As ``yes_or_no`` takes them, and as the policies compare them.
        lower = " | lower" if defaults[key] in ("true", "false") else ""
        return f"{indent}{start}{{{{ {value} | toString | nospace{lower} | toJson }}}}\n"
    if name == "duration":
        value = f'include "falco-playbooks.seconds" (dig "{key}" {json.dumps(defaults[key])} .env)'
        return f"{indent}{start}{{{{ {value} | toJson }}}}\n"
    if name in ("replicas", "grace", "revision"):
        return f"{indent}{start}{{{{ .{name} | toJson }}}}\n"
    # In a list, elements; else a map or list below the key.
    below = len(indent) if start == "- " else len(indent) + 2
    head = "" if start == "- " else f"{indent}{start.rstrip()}\n"
    included = f'include "falco-playbooks.{name}" .'
    return f"{head}{{{{- with {included} }}}}{{{{ . | nindent {below} }}}}\n{{{{- end }}}}\n"


# Seconds that a pod has beyond SHUTDOWN_SECONDS stand in the chart's own templates.
assert (SHUTDOWN, SPARE) == ("SHUTDOWN_SECONDS", 10)
