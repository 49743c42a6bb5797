"""TLS as Go's programs do it: the one place that makes contexts, for the API server and for NATS.

It lies in core because the engines and the infrastructure both need it, and neither may import the
other. It uses the standard library only.
"""

from __future__ import annotations

import ssl
import tempfile
from typing import Optional

# Python 3.13 turns it on. It refuses authorities without key identifiers, without keyUsage, or
# whose basicConstraints are not critical, such as those of old EKS and GKE clusters.
_STRICT = getattr(ssl, "VERIFY_X509_STRICT", 0)

# Python 3.13 turns it on. With it, an intermediate authority alone can be trusted.
_PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)


def context(
    *, cafile: Optional[str] = None, cadata: Optional[str] = None, verify: bool = True
) -> ssl.SSLContext:
    """For a client. ``cafile``, ``cadata``: PEM; without both, the system's authorities.

    Certificates that Go accepts are accepted, and one that names its host in nothing but its
    common name is not. Raises OSError (ssl.SSLError is one) for what is not PEM.
    """
    made = ssl.create_default_context(cafile=cafile, cadata=cadata)
    made.verify_flags = (made.verify_flags & ~_STRICT) | _PARTIAL_CHAIN
    if getattr(ssl, "HAS_NEVER_CHECK_COMMON_NAME", False):
        made.hostname_checks_common_name = False
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def present(made: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have a context present a client certificate. Both are PEM. Raises OSError.

    ``ssl`` reads files only: they are in one that nobody else can read, and is gone at once.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        made.load_cert_chain(file.name, password=_no_password)


def _no_password() -> bytes:
    """Of an encrypted key, which Go refuses; without this, OpenSSL asks at the terminal."""
    raise ssl.SSLError("the key of the client certificate is encrypted")
