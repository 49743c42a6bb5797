"""URLs of NATS servers: where they are, and the credentials in them, apart.

Source: https://www.rfc-editor.org/rfc/rfc3986#section-3.2, as NATS' own clients read them: user and
password are percent-encoded; a user without a password is a token.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Tuple
from urllib.parse import SplitResult, unquote, urlsplit

# Schemes and their ports.
_PORTS = {"nats": 4222, "tls": 4222, "ws": 80, "wss": 443}

WEBSOCKET = ("ws", "wss")

_EXPECTED = "URLs such as nats://user:password@host:4222, separated by commas"
_ENCODED = f"{_EXPECTED}; in user and password @ is %40, / %2F, # %23, ? %3F, : %3A and , %2C"


@dataclass(frozen=True)
class Server:
    """``user`` and ``password``, or ``token``, are decoded; ``str()`` and ``repr()`` have neither.

    ``host`` is a name or an address, of IPv6 without brackets. ``path`` matters to WebSockets.
    """

    scheme: str
    host: str
    port: int
    path: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Without credentials."""
        return f"{self}{self.path}"

    @property
    def credentials(self) -> Tuple[str, str, str]:
        """User, password and token."""
        return self.user, self.password, self.token

    def anonymous(self) -> Server:
        return dataclasses.replace(self, user="", password="", token="")

    def __str__(self) -> str:
        """Scheme, host and port: all that may be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def servers(value: str) -> Tuple[Server, ...]:
    """NATS servers, separated by commas. Raises ValueError, which never shows the value."""
    found = tuple(_server(part.strip()) for part in value.split(",") if part.strip())
    if not found:
        raise ValueError(_EXPECTED)
    return found


def _server(url: str) -> Server:
    # A piece of a password that is not encoded ends up where no @ belongs.
    if url.count("@") > 1:
        raise ValueError(_ENCODED)
    try:
        parts = urlsplit(url)
        port = parts.port
        user, password = _decoded(parts.username), _decoded(parts.password)
    except ValueError:
        raise ValueError(_ENCODED if "@" in url else _EXPECTED) from None
    if "@" in url and "@" not in parts.netloc:
        raise ValueError(_ENCODED)
    if parts.scheme not in _PORTS or not _usable(parts, url):
        raise ValueError(_EXPECTED)
    return Server(
        parts.scheme,
        parts.hostname or "",
        _PORTS[parts.scheme] if port is None else port,
        path=parts.path if parts.scheme in WEBSOCKET else "",
        user=user if parts.password is not None else "",
        password=password,
        token=user if parts.password is None else "",
    )


def _usable(parts: SplitResult, url: str) -> bool:
    whole = bool(parts.hostname) and url.isprintable() and " " not in url
    return whole and not (parts.query or parts.fragment)


def _decoded(part: object) -> str:
    return unquote(str(part), errors="strict") if part is not None else ""
