"""The 40 inputs that every engine answers alike: what is delivered, and what becomes of it.

Recorded alerts are told by the line of their file in specs/support/alerts, whose README has their
origin and licence. The cluster is the one that these alerts name, with stand-in.yaml.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Iterable, List, Mapping, Tuple

from playbooks.core.alert import Alert
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import Instant
from playbooks.engines.http.content_encoding import LARGEST
from playbooks.infrastructure.memory.cluster import KINDS
from playbooks.infrastructure.memory.scene import Scene
from playbooks.testing import InMemoryCluster

ALERTS = Path(__file__).parents[1] / "alerts"

#: Later than every alert. MAX_ALERT_AGE is off.
NOW = Instant.parse("2027-01-01T00:00:00.000000000Z")

#: A rule whose name no header of HTTP can hold as it is.
RULE = "Zugriff auf Schlüssel 鍵"

GOOD, BAD, HUGE, DUPLICATE, ENCODING, MISSING = (
    *("good", "bad", "huge", "duplicate", "wrong encoding"),
    "missing target",
)

TOO_LARGE = "too-large"


@dataclass(frozen=True)
class Input:
    """``deliveries``: bodies, one after the other. ``reasons``: what becomes of each of them;
    TOO_LARGE is what becomes of it where the engine has a limit."""

    kind: str
    name: str
    deliveries: Tuple[bytes, ...]
    reasons: Tuple[str, ...]


def _lines(file: str) -> List[bytes]:
    return (ALERTS / file).read_bytes().splitlines()


def _recorded(kind: str, number: int, reason: str, file: str = "falco_alerts.jsonl") -> Input:
    return _one(kind, f"{file}:{number}", _lines(file)[number - 1], reason)


def _one(kind: str, name: str, body: bytes, reason: str) -> Input:
    return Input(kind, name, (body,), (reason,))


def _with(**changes: Any) -> bytes:
    """A recorded alert about a pod that is there, but for these keys; None leaves one out."""
    document = {**json.loads(_lines("field.jsonl")[0]), **changes}
    kept = {key: value for key, value in document.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False).encode()


def _sized(size: int) -> bytes:
    empty = len(_with(output=""))
    return _with(output="x" * (size - empty))


_WEB = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0"}
_DELETED, _GONE, _ANOTHER = "deletion-accepted", "pod-gone", "not-the-same-pod"
_NO_ALERT = "invalid-alert"


@lru_cache(maxsize=None)
def inputs() -> Tuple[Input, ...]:
    recorded = "invalid_utf8.jsonl"
    return (
        # A running pod, in the container that the alert names.
        *(_recorded(GOOD, number, _DELETED) for number in (7, 11, 12, 15, 26)),
        # No pod, or none that can be looked up; of all sources and versions of Falco.
        *(_recorded(GOOD, number, "unproven") for number in (1, 6)),
        *(_recorded(GOOD, number, "no-pod") for number in (4, 14, 16, 19, 22, 25, 29, 34)),
        # The pod has another container, terminates already.
        _recorded(GOOD, 8, _ANOTHER),
        _recorded(GOOD, 10, "terminating"),
        _one(GOOD, "a rule with brackets", _lines("field.jsonl")[1], _DELETED),
        _one(GOOD, "a host name in capitals", _lines("field.jsonl")[2], _DELETED),
        _one(GOOD, "a rule that is not ASCII", _with(rule=RULE), _DELETED),
        _recorded(BAD, 35, _NO_ALERT),
        _one(BAD, "nothing", b"", _NO_ALERT),
        _one(BAD, "null", b"null", _NO_ALERT),
        _one(BAD, "a list", b"[" + _with() + b"]", _NO_ALERT),
        _one(BAD, "half of an alert", _with()[:150], _NO_ALERT),
        _one(BAD, "no rule", _with(rule=None), _NO_ALERT),
        _one(BAD, "a priority that Falco has not", _with(priority="Urgent"), _NO_ALERT),
        _one(BAD, "no time", _with(time=None), _NO_ALERT),
        _one(BAD, "fields that are no object", _with(output_fields=[1]), _NO_ALERT),
        _one(HUGE, "as large as alerts may be", _sized(LARGEST), _DELETED),
        _one(HUGE, "a byte larger", _sized(LARGEST + 1), TOO_LARGE),
        Input(DUPLICATE, "the same twice", (_with(), _with()), (_DELETED, _GONE)),
        # Bytes that are no UTF-8, half a surrogate pair, a NUL, control characters.
        *(_recorded(ENCODING, number, _DELETED, recorded) for number in (1, 2, 3, 4)),
        _one(ENCODING, "UTF-16", _with().decode().encode("utf-16"), _NO_ALERT),
        _one(ENCODING, "a rule in Latin-1", _latin(), _NO_ALERT),
        _recorded(MISSING, 13, _GONE),
        _one(
            MISSING,
            "a pod of that name with another uid",
            _with(output_fields={**_WEB, "k8s.pod.uid": "5b0c2f6e-0000-0000-0000-000000000000"}),
            _ANOTHER,
        ),
    )


def _latin() -> bytes:
    return _with(rule="Zugriff auf Schlüssel").decode().encode("latin-1")


def a_cluster() -> InMemoryCluster:
    """The one that all of them are about, as it is before the first of them."""
    cluster = InMemoryCluster()
    for manifest in _scene():
        cluster.put(manifest)
    return cluster


@lru_cache(maxsize=None)
def _scene() -> Tuple[Manifest, ...]:
    cluster = InMemoryCluster()
    scene = Scene(cluster)
    scene.load(ALERTS / "stand-in.yaml")
    scene.expect(_alerts(body for given in inputs() for body in given.deliveries[:1]))
    return tuple(manifest for kind in KINDS for manifest in cluster.objects(kind))


def _alerts(bodies: Iterable[bytes]) -> List[Alert]:
    found = []
    for body in bodies:
        try:
            found.append(Alert.parse(body))
        except InvalidAlert:
            continue
    # What names a pod by another uid alone is not what the pod is made of.
    return [alert for alert in found if not alert.claim.uid]


def an_alert_about(pod: str, container: str = "1376fe875695") -> Mapping[str, Any]:
    """The document of an alert about a pod of ``a_cluster``, in the namespace shop."""
    document = json.loads(_with())
    about = {"k8s.pod.name": pod, "container.id": container}
    return {**document, "output_fields": {**document["output_fields"], **about}}
