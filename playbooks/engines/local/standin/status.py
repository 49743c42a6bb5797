"""What the Kubernetes API says when it says no.

Source: k8s.io/apimachinery/pkg/api/errors, whose words these are.
"""

from __future__ import annotations

from typing import Any, Dict, Optional


class ApiError(Exception):
    """An answer that is a Status object."""

    def __init__(
        self, code: int, reason: str, message: str, details: Optional[Dict[str, Any]] = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details or {"causes": []}


def not_found(resource: str, name: str) -> ApiError:
    details = {"name": name, "kind": resource.partition(".")[0]}
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', details)


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: str, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists')


def modified(resource: str, name: str) -> ApiError:
    return _conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try"
        " again",
    )


def other_uid(resource: str, name: str, wanted: str, found: str) -> ApiError:
    """A conflict like the one before: only the message tells them apart."""
    return _conflict(
        resource,
        name,
        f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}",
    )


def invalid(resource: str, name: str, field: str, why: str) -> ApiError:
    return ApiError(422, "Invalid", f'{resource} "{name}" is invalid: {field}: {why}')


def bad_request(why: str) -> ApiError:
    return ApiError(400, "BadRequest", why)


def _conflict(resource: str, name: str, why: str) -> ApiError:
    said = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", said)
