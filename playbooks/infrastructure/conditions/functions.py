"""What operators and functions of a condition do, as Kubernetes' CEL does it.

cel-python's own differ: values of different types do not compare with it, where Kubernetes says
that they are not equal. Each takes and gives cel-python's values; an error is a value as well.

Source: https://kubernetes.io/docs/reference/using-api/cel/
"""

from __future__ import annotations

import ipaddress
import operator
from typing import Any, Callable, Dict, Iterable, Union

import re2
from celpy import celtypes
from celpy.evaluation import CELEvalError

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

_NUMBERS = (celtypes.IntType, celtypes.DoubleType)


def address(text: Any) -> Address:
    """As Kubernetes reads it: no zone, no IPv4 in IPv6. Raises TypeError or ValueError."""
    found = ipaddress.ip_address(_text(text))
    if isinstance(found, ipaddress.IPv6Address) and (found.ipv4_mapped or "%" in str(text)):
        raise ValueError("no zone, and no IPv4 address in IPv6")
    return found


def network(text: Any) -> Network:
    """As Kubernetes reads it, with bits beyond its prefix. Raises TypeError or ValueError."""
    place, slash, prefix = _text(text).partition("/")
    if not (slash and prefix.isascii() and prefix.isdigit()) or str(int(prefix)) != prefix:
        raise ValueError("a network such as 10.0.0.0/8")
    address(place)
    return ipaddress.ip_network(str(text), strict=False)


def pattern(text: str) -> Any:
    """An expression of re2, which takes a time that is linear in the length of the text. Raises
    re2.error."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0]
        raise re2.error(
            said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        ) from None


def equal(one: Any, other: Any) -> bool:
    """Values of different types are not equal, and numbers are numbers."""
    if isinstance(one, _NUMBERS) and isinstance(other, _NUMBERS):
        return bool(operator.eq(_number(one), _number(other)))
    return type(one) is type(other) and bool(one == other)


def _number(value: Any) -> Union[int, float]:
    return float(value) if isinstance(value, celtypes.DoubleType) else int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return str(value)


def _with(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    """The operator, with errors on either side."""

    def compared(one: Any, other: Any) -> Any:
        for each in (one, other):
            if isinstance(each, CELEvalError):
                return each
        return celtypes.BoolType(compare(one, other))

    return compared


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def ordered(one: Any, other: Any) -> bool:
        if isinstance(one, _NUMBERS) and isinstance(other, _NUMBERS):
            return compare(_number(one), _number(other))
        if not isinstance(one, celtypes.TimestampType) or type(one) is not type(other):
            raise TypeError("numbers or times")
        return compare(one, other)

    return _with(ordered)


def _within(item: Any, container: Any) -> bool:
    if isinstance(container, celtypes.MapType):
        return item in container
    if not isinstance(container, celtypes.ListType):
        raise TypeError("a list or a map")
    return any(equal(item, each) for each in container)


def _of_texts(function: Callable[[str, str], bool]) -> Callable[[Any, Any], Any]:
    def of_texts(one: Any, other: Any) -> Any:
        return celtypes.BoolType(function(_text(one), _text(other)))

    return of_texts


def _size(of: Any) -> Any:
    if not isinstance(of, (str, celtypes.ListType)):
        raise TypeError("text or a list")
    return celtypes.IntType(len(of))


def _is_ip(text: Any) -> Any:
    given = _text(text)
    try:
        address(given)
    except ValueError:
        return celtypes.BoolType(False)
    return celtypes.BoolType(True)


def _contains_ip(inside: Network, ip: Any) -> Any:
    found = address(ip) if isinstance(ip, str) else ip
    return celtypes.BoolType(found.version == inside.version and found in inside)


def functions(patterns: Iterable[str]) -> Dict[str, Callable[..., Any]]:
    """By their names in cel-python. ``patterns``: those of the condition. Raises re2.error."""
    compiled = {text: pattern(text) for text in patterns}

    def matches(text: Any, wanted: Any) -> Any:
        return celtypes.BoolType(compiled[str(wanted)].search(_text(text)) is not None)

    return {
        "_==_": _with(equal),
        "_!=_": _with(lambda one, other: not equal(one, other)),
        "_<_": _ordered(operator.lt),
        "_<=_": _ordered(operator.le),
        "_>_": _ordered(operator.gt),
        "_>=_": _ordered(operator.ge),
        "_in_": _with(_within),
        "startsWith": _of_texts(str.startswith),
        "endsWith": _of_texts(str.endswith),
        "contains": _of_texts(operator.contains),
        "matches": matches,
        "size": _size,
        "ip": address,
        "isIP": _is_ip,
        "family": lambda ip: celtypes.IntType(ip.version),
        "cidr": network,
        "containsIP": _contains_ip,
    }
