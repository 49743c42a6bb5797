"""The bearer token with which alerts are posted."""

from __future__ import annotations

import hmac

from playbooks.core.settings import Setting, or_nothing

#: For who posts without it.
REFUSED = "the bearer token is missing or wrong: Authorization: Bearer TOKEN"

#: The header of that answer.
CHALLENGE = {"WWW-Authenticate": "Bearer"}


def checked_token(value: str) -> str:
    """At least 16 characters, so that it cannot be guessed, of those that a header can carry."""
    if len(value) < 16 or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("at least 16 printable ASCII characters without a space")
    return value


def setting(reached: str) -> Setting:
    """The setting of an engine that can do without. ``reached``: what everybody reaches who can
    then have the playbook act."""
    return Setting(
        "HTTP_TOKEN",
        or_nothing(checked_token),
        "",
        "The bearer token with which alerts are posted; empty: they are taken from whoever reaches"
        f" the {reached}",
        secret=True,
    )


def allowed(authorization: str, token: str) -> bool:
    """``authorization``: the header, however long it is and whatever is in it."""
    kind, _, given = authorization.partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8"), token.encode("utf-8"))
    return same and kind.lower() == "bearer" and bool(token)
