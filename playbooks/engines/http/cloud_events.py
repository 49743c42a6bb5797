"""A CloudEvent out of an HTTP request, in binary or structured mode.

Two generations of the SDK for Python read the same request differently, and one of them cannot be
installed beside functions-framework. Only what delivers an alert is read here: the type, the
source, the id and the data.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
and https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any, Mapping

STRUCTURED, BATCH = "application/cloudevents", "application/cloudevents-batch"

# What has to be there, beside the version.
_REQUIRED = ("id", "source", "type")


class NoCloudEvent(Exception):
    """``status``: of the answer, 400 or 415. The words say why."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class CloudEvent:
    """``data``: bytes as they were sent, or what JSON has in their place. ``extensions``: the
    attributes beside those that have a field, as they are written; text in headers."""

    id: str
    source: str
    type: str
    data: Any
    extensions: Mapping[str, Any] = field(default_factory=dict)


def of_request(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """``headers``: their names in any case. Raises NoCloudEvent.

    The content type decides the mode, as the specification says, whatever ce- headers there are.
    """
    named = {name.lower(): value for name, value in headers.items()}
    kind = named.get("content-type", "").partition(";")[0].strip().lower()
    if kind == BATCH or kind.startswith(f"{BATCH}+"):
        raise NoCloudEvent("a batch of CloudEvents: send each of them by itself", 415)
    if kind == STRUCTURED or kind.startswith(f"{STRUCTURED}+"):
        return _structured(kind, body)
    if "ce-specversion" not in named:
        raise NoCloudEvent(
            "this is no CloudEvent: it has neither the header ce-specversion nor the content type"
            f" {STRUCTURED}+json"
        )
    found = {name[len("ce-") :]: value for name, value in named.items() if name.startswith("ce-")}
    return _checked(found, body, "header ce-")


def _structured(kind: str, body: bytes) -> CloudEvent:
    if kind != f"{STRUCTURED}+json":
        raise NoCloudEvent(f"a CloudEvent in {kind}: only {STRUCTURED}+json is read", 415)
    try:
        document = json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        raise NoCloudEvent("the CloudEvent is no JSON") from None
    if not isinstance(document, dict):
        raise NoCloudEvent("the CloudEvent is no JSON object")
    if "data" in document and "data_base64" in document:
        raise NoCloudEvent("the CloudEvent has data and data_base64, expected one of them")
    data = document.get("data")
    if "data_base64" in document:
        try:
            data = base64.b64decode(document["data_base64"], validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise NoCloudEvent("data_base64 of the CloudEvent is not base64") from None
    return _checked(document, data, "")


def _checked(attributes: Mapping[str, Any], data: Any, prefix: str) -> CloudEvent:
    version = attributes.get("specversion")
    if version != "1.0":
        said = "missing" if version is None else repr(version)[:40]
        raise NoCloudEvent(f"{prefix}specversion is {said}, expected 1.0")
    for name in _REQUIRED:
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            raise NoCloudEvent(f"{prefix}{name} of the CloudEvent is missing")
    known = (*_REQUIRED, "specversion", "data", "data_base64")
    others = {name: value for name, value in attributes.items() if name not in known}
    return CloudEvent(attributes["id"], attributes["source"], attributes["type"], data, others)
