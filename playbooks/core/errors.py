"""Everything that can go wrong, in two families: worth retrying, or not.

::

    PlaybookError
     +-- RetryableError             the same alert may succeed later
     |    +-- ClusterUnavailable    no answer, a timeout, or a 5xx of the API server
     |    +-- CredentialsRefused    the API server does not know the account (401)
     |    +-- Throttled             429, of the API server, of Slack or of a webhook
     |    +-- Conflict              somebody else wrote the object first (409, resourceVersion)
     |    +-- ContainerIdPending    the API does not know the container's id yet
     |    +-- SlackUnavailable      no answer, a timeout, or a 5xx of Slack
     |    +-- WebhookUnavailable    the same of a webhook
     |    +-- NotificationFailed    a service was not told
     |    +-- GuardUnanswered       a guard could not be evaluated
     |    +-- EvidenceUnavailable   evidence could not be kept
     +-- PermanentError             the same alert will fail again
          +-- InvalidAlert          not an alert
          +-- InvalidSetting        a setting is missing or malformed
          +-- NotFound              the object is not there (404)
          +-- NotTheSameObject      a uid precondition does not hold (409)
          +-- AlreadyExists         an object of that name is there (409)
          +-- StillRunning          a deleted pod runs on past its deadline
          +-- DrainIncomplete       pods are left on a node past its deadline
          +-- NotPermitted          the account lacks the right (403)
          +-- NamespaceTerminating  nothing can be created in it any more (a 403, no lack of rights)
          +-- Refused               the API server does not accept the request (other 4xx)
          |    +-- ObjectTooLarge   nothing can be written on an object any more
          +-- ListTooLong           objects too many, or too large, to be read for one alert
          +-- NoCluster             neither a service account nor a kubeconfig
          +-- SlackRejected         Slack says no
          +-- WebhookRejected       a webhook does
          +-- Unexpected            an error from outside this tree

Every error survives pickling: Kubeless carries it from the process of the alert to its server.
"""

from __future__ import annotations

import re
from traceback import extract_tb
from typing import Optional

# Of nine digits at most: whoever waits may count in nanoseconds.
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def retry_after(header: Optional[str]) -> Optional[float]:
    """The seconds that a header Retry-After asks us to wait; None where it does not say them.

    Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    found = _SECONDS.fullmatch(header or "")
    return float(found[0]) if found else None


class PlaybookError(Exception):
    """The root. ``str(error)`` is one sentence; ``reason`` a stable code of its class."""

    reason = "error"
    retryable = False
    #: Other alerts may well fail for the same cause.
    of_any_alert = False

    def __init__(self, message: str) -> None:
        super().__init__(message)


class RetryableError(PlaybookError):
    """Worth retrying.

    ``retry_after``: seconds the other side asked us to wait, or None.
    ``patience``: seconds after which trying again is pointless, or None for as long as there is
    time.
    """

    retryable = True
    patience: Optional[float] = None

    def __init__(self, message: str, retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(PlaybookError):
    """Not worth retrying."""


class ClusterUnavailable(RetryableError):
    reason = "cluster-unavailable"
    of_any_alert = True

    #: What is said of an API server that does not answer, or is not ready.
    AWAY = "the API server is away"


class CredentialsRefused(RetryableError):
    """The account was made anew, or its token is over: the next call reads the credentials anew."""

    reason = "credentials-refused"
    of_any_alert = True


class Throttled(RetryableError):
    reason = "throttled"


class Conflict(RetryableError):
    reason = "conflict"


class ContainerIdPending(RetryableError):
    """The API learns a container's id up to a second after its process started."""

    reason = "container-id-pending"
    patience = 5.0


class SlackUnavailable(RetryableError):
    reason = "slack-unavailable"


class WebhookUnavailable(RetryableError):
    reason = "webhook-unavailable"


class NotificationFailed(RetryableError):
    reason = "notification-failed"


class GuardUnanswered(RetryableError):
    reason = "guard-unanswered"
    of_any_alert = True


class EvidenceUnavailable(RetryableError):
    reason = "evidence-unavailable"


class InvalidAlert(PermanentError):
    reason = "invalid-alert"


class InvalidSetting(PermanentError):
    reason = "invalid-setting"


class NotFound(PermanentError):
    reason = "not-found"


class NotTheSameObject(PermanentError):
    reason = "not-the-same-object"


class AlreadyExists(PermanentError):
    reason = "already-exists"


class StillRunning(PermanentError):
    """Tried on Kubernetes 1.34: no further deletion, of whatever grace, ends what runs on."""

    reason = "still-running"


class DrainIncomplete(PermanentError):
    """What a PodDisruptionBudget keeps, or does not end in its time, is for a person."""

    reason = "drain-incomplete"


class NotPermitted(PermanentError):
    """For any alert where the account lost a right, for this one where it is refused one object."""

    reason = "not-permitted"
    of_any_alert = True


class NamespaceTerminating(PermanentError):
    reason = "namespace-terminating"


class Refused(PermanentError):
    reason = "refused"


class ObjectTooLarge(Refused):
    """Whoever may write labels on a pod can make it so large. Tried on Kubernetes 1.34: nobody then
    deletes it, with any grace period, nor evicts or labels it."""

    reason = "object-too-large"


class ListTooLong(PermanentError):
    """Of objects of which a tenant can make as many, and as large ones, as he likes."""

    reason = "list-too-long"


class NoCluster(PermanentError):
    reason = "no-cluster"
    of_any_alert = True


class SlackRejected(PermanentError):
    reason = "slack-rejected"


class WebhookRejected(PermanentError):
    reason = "webhook-rejected"


class Unexpected(PermanentError):
    reason = "unexpected"


def ours(error: Exception, doing: str = "") -> PlaybookError:
    """The same error, or one of ours that keeps it. ``doing``: what is said before it."""
    if isinstance(error, PlaybookError):
        return error
    unexpected = Unexpected(f"{doing}{type(error).__name__}: {error}")
    unexpected.__cause__ = error
    return unexpected


def line_of(error: BaseException) -> str:
    """The line that raised it."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{last.filename}, line {last.lineno}"
