"""A release: a person lets a held alert go on, and what he says is signed.

Whoever has the NATS user of a worker can write into its inbox. The key lies in the function's own
Secret, and only the worker's pod has it: a release is signed there, by ``falco-playbook dead
--redeliver``. It holds for one message: of this Function, of this body, at this place of the
stream, stored about when it was signed.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Mapping

from playbooks.core.instant import Instant
from playbooks.engines.worker.nats.delivery import Origin

#: Who let the alert go on, when that was signed, and the signature.
RELEASED_BY = "Falco-Released-By"
AT, SIGNATURE = "Falco-Released-At", "Falco-Release-Signature"

# Seconds between signing and storing, at most. The clocks are the worker's and the broker's.
HOLDS = 300.0


class Releases:
    """``key`` empty: none can be signed, and none counts. ``uid``: that of the Function."""

    def __init__(self, key: str, uid: str) -> None:
        self._key = key
        self._uid = uid

    @property
    def can_sign(self) -> bool:
        return bool(self._key)

    def signed(
        self, by: str, body: bytes, *, stream: str, sequence: int, now: Instant
    ) -> Mapping[str, str]:
        """The headers of a message that is to be stored at this place."""
        signature = self._signature(by, str(now), body, stream, sequence)
        return {RELEASED_BY: by, AT: str(now), SIGNATURE: signature}

    def refusal(self, headers: Mapping[str, str], body: bytes, place: Origin) -> str:
        """Why the release in these headers does not count, or empty."""
        if not self._key:
            return "this worker has no key of releases: deploy it again"
        at, given = headers.get(AT, ""), headers.get(SIGNATURE, "")
        if not given:
            return "it is not signed"
        by = headers.get(RELEASED_BY, "")
        wanted = self._signature(by, at, body, place.stream, place.sequence)
        if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
            return "its signature is not that of this message at this place: forged or replayed"
        # The time is signed: it can be read.
        if abs(place.stored.seconds_since(Instant.parse(at))) > HOLDS:
            return f"it is signed at {at} and stored at {place.stored}: it expired"
        return ""

    def _signature(self, by: str, at: str, body: bytes, stream: str, sequence: int) -> str:
        digest = hashlib.sha256(body).hexdigest()
        said = "\n".join(("falco release 1", self._uid, by, at, stream, str(sequence), digest))
        return hmac.new(self._key.encode(), said.encode(), hashlib.sha256).hexdigest()
