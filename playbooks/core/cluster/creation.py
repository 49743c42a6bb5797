"""What an audit alert says was created.

Fields: falcosecurity/plugins, plugins/k8saudit/pkg/k8saudit/extract.go. A request is read of its
URI: of the fields none names the group of an API, and ``events`` or ``ingresses`` have several.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import parse_qsl, unquote

from playbooks.core.alert import Alert
from playbooks.core.claim import distinct
from playbooks.core.cluster.api_object import ObjectKind, named
from playbooks.core.outcome import Outcome
from playbooks.core.settings import DNS_LABEL

# What an audit alert has to give.
NEEDED = ("ka.verb", "ka.uri", "ka.response.code", "ka.target.resource")

# What it may give beside that.
_ALSO = ("ka.target.namespace", "ka.target.name", "ka.target.subresource", "ka.resp.name")

# Verbs that create: ``apply --server-side`` is a patch. Only a creation is answered with 201.
VERBS, CREATED = ("create", "patch", "update"), "201"

# Characters of a name. Those of RBAC may have any but these two.
# Source: k8s.io/apimachinery, pkg/api/validation/path, IsValidPathSegmentName
LONGEST, _FORBIDDEN = 1000, re.compile("[/%]")


@dataclass(frozen=True)
class Creation:
    """``namespace`` is empty for what belongs to none."""

    kind: ObjectKind
    name: str
    namespace: str

    def __str__(self) -> str:
        return named(self.kind.typed, self.name, self.namespace)


@dataclass(frozen=True)
class _Request:
    group: str
    resource: str
    namespace: str
    name: str
    subresource: str
    dry_run: bool


def of_alert(alert: Alert, kinds: Sequence[ObjectKind]) -> Union[Creation, Outcome]:
    """The creation of an object of one of these kinds, or the skipped outcome that says why it is
    none."""
    if alert.source != "k8s_audit":
        return Outcome.skipped(
            "no-object", f"source {alert.source:.80} reports no object's creation"
        )
    fields = {key: alert.fields.get(key) for key in (*NEEDED, *_ALSO)}
    odd = [key for key, value in fields.items() if isinstance(value, _NO_TEXT)]
    if odd:
        return Outcome.skipped("unproven", f"{odd[0]} is no text")
    given = {key: text for key, text in map(_text, fields.items()) if text}
    missing = [key for key in NEEDED if key not in given]
    if missing:
        said = f"the alert does not give {', '.join(missing)}: have Falco append them to its output"
        return Outcome.skipped("unproven", said)
    verb, code = given["ka.verb"], given["ka.response.code"]
    request = _request(given["ka.uri"])
    if request is None or request.resource != given["ka.target.resource"]:
        said = (
            f"ka.uri {given['ka.uri']!r:.200} is no request for {given['ka.target.resource']!r:.80}"
        )
        return Outcome.skipped("unproven", said)
    if verb not in VERBS or code != CREATED:
        said = f"nothing was created: {verb:.80} of {request.resource} was answered with {code:.80}"
        return Outcome.skipped("not-created", said)
    if request.dry_run:
        return Outcome.skipped("not-created", f"nothing was created: {verb} was a dry run")
    subresource = request.subresource or given.get("ka.target.subresource", "")
    if subresource:
        said = f"nothing was created: {verb} was of subresource {subresource:.80}"
        return Outcome.skipped("not-created", said)
    kind = next(
        (k for k in kinds if (k.group, k.resource) == (request.group, request.resource)), None
    )
    if kind is None:
        what = f"{request.resource}.{request.group}" if request.group else request.resource
        return Outcome.skipped("kind-not-listed", f"{what:.200} is none of REVOKE_KINDS")
    return _named(kind, request, given)


def _named(
    kind: ObjectKind, request: _Request, given: Mapping[str, str]
) -> Union[Creation, Outcome]:
    names = distinct((given.get("ka.resp.name"), given.get("ka.target.name"), request.name))
    places = distinct((given.get("ka.target.namespace"), request.namespace))
    if len(names) > 1 or len(places) > 1:
        said = f"the alert contradicts itself: {' and '.join(names)} in {' and '.join(places)}"
        return Outcome.skipped("unproven", said[:300])
    if not names:
        said = (
            f"the alert does not name the {kind.typed}, as its name was generated: ka.resp.name has"
            " it where the audit policy logs at RequestResponse"
        )
        return Outcome.skipped("unproven", said)
    (name,), place = names, "".join(places)
    in_place = not place if kind.cluster_wide else bool(DNS_LABEL.fullmatch(place))
    unusable = _FORBIDDEN.search(name) or name in (".", "..") or len(name) > LONGEST
    if unusable or not in_place:
        said = f"{name!r:.80} in {place!r:.80} cannot be a {kind.typed}"
        return Outcome.skipped("unproven", said)
    return Creation(kind, name, place)


def _request(uri: str) -> Optional[_Request]:
    """Whoever calls the API writes its URI: an octet may be escaped, and a slash there twice."""
    path, _, query = uri.partition("?")
    parts = [unquote(part) for part in path.split("/") if part]
    group, rest = _api(parts)
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return None
    dry_run = any(key == "dryRun" and value for key, value in parse_qsl(query))
    name, subresource = (*rest[1:2], ""), "/".join(rest[2:])
    return _Request(group, rest[0], namespace, name[0], subresource, dry_run)


def _api(parts: Sequence[str]) -> Tuple[str, Sequence[str]]:
    if parts[:1] == ["api"]:
        return "", list(parts[2:])
    return ("".join(parts[1:2]), list(parts[3:])) if parts[:1] == ["apis"] else ("", [])


_NO_TEXT = (bool, float, list, dict)


def _text(item: Tuple[str, object]) -> Tuple[str, str]:
    """Numbers as the plugin writes them: as text."""
    key, value = item
    return key, "" if value is None or value == "<NA>" else str(value)
