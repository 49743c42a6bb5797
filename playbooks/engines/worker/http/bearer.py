"""The bearer token with which alerts are posted."""

from __future__ import annotations

import hmac

#: For who posts without it.
REFUSED = "the bearer token is missing or wrong: Authorization: Bearer TOKEN"

#: The header of that answer.
CHALLENGE = {"WWW-Authenticate": "Bearer"}


def allowed(authorization: str, token: str) -> bool:
    """``authorization``: the header, however long it is and whatever is in it."""
    kind, _, given = authorization.partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8"), token.encode("utf-8"))
    return same and kind.lower() == "bearer" and bool(token)
