"""The body of an HTTP request without its ``Content-Encoding``.

Falco compresses what it posts where ``http_output.compress_uploads`` is set.
"""

from __future__ import annotations

import zlib

# Bytes of the largest alert that is taken by HTTP.
LARGEST = 1024 * 1024

# Of zlib: a gzip header is expected.
_GZIP = 31


#: What is said of a larger one.
TOO_LARGE = f"an alert has at most {LARGEST} bytes"


class BodyRefused(Exception):
    """The body of a request cannot be had. ``status``: of the answer, 400, 408, 413, 415 or
    503. The words say why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def decoded(body: bytes, encoding: str, *, longest: int = LARGEST) -> bytes:
    """At most ``longest`` bytes: more is never inflated. Raises BodyRefused."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        if len(body) > longest:
            raise BodyRefused(413, TOO_LARGE)
        return body
    if name not in ("gzip", "x-gzip"):
        raise BodyRefused(415, "an alert comes as it is, or with Content-Encoding: gzip")
    inflate = zlib.decompressobj(_GZIP)
    try:
        found = inflate.decompress(body, longest + 1)
    except zlib.error:
        raise BodyRefused(400, "the body is not what its Content-Encoding says") from None
    if len(found) > longest:
        raise BodyRefused(413, f"{TOO_LARGE}, inflated too")
    if not inflate.eof or inflate.unused_data:
        raise BodyRefused(400, "the body is not what its Content-Encoding says")
    return found
