"""The proxy that the environment names for a server, as Go's programs read it.

Source: https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

from __future__ import annotations

import ipaddress
from typing import Mapping, Optional, Tuple, Union
from urllib.parse import SplitResult

_Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def proxy_for(server: SplitResult, environ: Mapping[str, str]) -> Optional[str]:
    """The URL in HTTPS_PROXY, or in HTTP_PROXY for a server of plain HTTP.

    None for this machine itself and for what NO_PROXY names: a host, a domain with all in it, a
    network, each with a port or without, or ``*``. Names in lower case count where the one in
    capitals is empty. Raises ValueError for a server whose port is not a number.
    """
    proxy = _either(f"{server.scheme}_proxy", environ)
    host, port = server.hostname or "", server.port or {"https": 443}.get(server.scheme, 80)
    address = _address(host)
    if not proxy or host == "localhost" or (address and address.is_loopback):
        return None
    excepted = (part.strip().lower() for part in _either("no_proxy", environ).split(","))
    if any(_covers(part, host, str(port), address) for part in excepted if part):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _either(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(name.upper()) or environ.get(name) or ""


def _covers(pattern: str, host: str, port: str, address: Optional[_Address]) -> bool:
    if pattern == "*":
        return True
    if "/" in pattern:
        try:
            return address is not None and address in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    name, only = _split(pattern)
    if only not in ("", port):
        return False
    if _address(name):
        return _address(name) == address
    domain = name[1:] if name.startswith("*.") else name
    if domain.startswith("."):
        return host.endswith(domain)
    return bool(domain) and f".{host}".endswith(f".{domain}")


def _split(pattern: str) -> Tuple[str, str]:
    """Host and port. An address of IPv6 has its brackets only with a port."""
    if pattern.startswith("["):
        name, _, rest = pattern[1:].partition("]")
        return name, rest[1:]
    if pattern.count(":") == 1:
        name, _, port = pattern.partition(":")
        return name, port
    return pattern, ""


def _address(text: str) -> Optional[_Address]:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
