"""Authorities and certificates of one spec run, as PEM. Keys of elliptic curves are cheap."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, List, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    pem: bytes
    key: bytes
    made: Any
    private: Any


def an_authority(
    name: str = "authority",
    *,
    by: Optional[Certificate] = None,
    key_identifiers: bool = True,
    critical: bool = True,
    key_usage: bool = True,
) -> Certificate:
    """``by``: another authority, or nobody but itself. The rest is what Python 3.13 asks for."""
    private = ec.generate_private_key(ec.SECP256R1())
    added: List[Any] = [(x509.BasicConstraints(ca=True, path_length=None), critical)]
    if key_usage:
        signs = dict.fromkeys(_USAGES, False)
        signs.update(key_cert_sign=True, crl_sign=True)
        added.append((x509.KeyUsage(**signs), True))
    if key_identifiers:
        own = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
        added.append((own, False))
    return _made(name, private, by, added)


def a_certificate(
    by: Certificate, *names: str, common_name: str = "leaf", key_identifiers: bool = True
) -> Certificate:
    """``names``: hosts and addresses that it is for; none for a client's."""
    private = ec.generate_private_key(ec.SECP256R1())
    added: List[Any] = []
    if names:
        added.append((x509.SubjectAlternativeName([_name(name) for name in names]), False))
    if key_identifiers:
        public = by.private.public_key()
        added.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False))
    return _made(common_name, private, by, added)


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _made(name: str, private: Any, by: Optional[Certificate], added: List[Any]) -> Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.utcnow()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.made.subject if by else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
    for extension, critical in added:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(by.private if by else private, hashes.SHA256())
    key = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Certificate(made.public_bytes(serialization.Encoding.PEM), key, made, private)


def _name(text: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
