"""The body of an HTTP request without its ``Content-Encoding``.

Falco compresses what it posts where ``http_output.compress_uploads`` is set.
"""

from __future__ import annotations

import zlib

# Bytes of the largest alert that is taken by HTTP.
LARGEST = 1024 * 1024

# Of zlib: a gzip header is expected.
_GZIP = 31


class CannotDecode(Exception):
    """``status``: of the answer, 400, 413 or 415. The words say why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def decoded(body: bytes, encoding: str, *, longest: int = LARGEST) -> bytes:
    """At most ``longest`` bytes: more is never inflated. Raises CannotDecode."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        if len(body) > longest:
            raise CannotDecode(413, f"an alert has at most {longest} bytes")
        return body
    if name not in ("gzip", "x-gzip"):
        raise CannotDecode(415, "an alert comes as it is, or with Content-Encoding: gzip")
    inflate = zlib.decompressobj(_GZIP)
    try:
        found = inflate.decompress(body, longest + 1)
    except zlib.error:
        raise CannotDecode(400, "the body is not what its Content-Encoding says") from None
    if len(found) > longest:
        raise CannotDecode(413, f"an alert has at most {longest} bytes, inflated too")
    if not inflate.eof or inflate.unused_data:
        raise CannotDecode(400, "the body is not what its Content-Encoding says")
    return found
