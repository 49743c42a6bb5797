"""Signatures of webhooks: who has the secret knows whose a message is, and when it was sent.

Written here, in a few lines, because the package of the standard wants a newer Python than
functions have; specs verify what is signed with that package.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Dict, Tuple

from playbooks.core.instant import Instant

_PREFIX = "whsec_"

# Bytes of a key, as the standard has it.
SHORTEST, LONGEST = 24, 64


def keys(value: str) -> Tuple[bytes, ...]:
    """One secret, or several, separated by spaces, while one replaces the other."""
    found = tuple(map(_key, value.split()))
    if not found or not all(SHORTEST <= len(key) <= LONGEST for key in found):
        raise ValueError(
            f"{_PREFIX} and {SHORTEST} to {LONGEST} random bytes in base64, such as"
            f" {_PREFIX}$(openssl rand -base64 32)"
        )
    return found


def _key(secret: str) -> bytes:
    """Empty for what is none."""
    prefix, _, encoded = secret.partition("_")
    try:
        return base64.b64decode(encoded, validate=True) if f"{prefix}_" == _PREFIX else b""
    except (ValueError, binascii.Error):
        return b""


def headers(keys: Tuple[bytes, ...], message_id: str, now: Instant, body: bytes) -> Dict[str, str]:
    """Of one try to send the message. A receiver refuses one that is older than some minutes."""
    signed = b".".join((message_id.encode(), str(now.seconds).encode(), body))
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now.seconds),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(d).decode()}" for d in digests),
    }
