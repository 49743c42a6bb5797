"""The settings of functions on AWS. Nothing of AWS is called here."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Mapping
from urllib.parse import urlsplit

from playbooks.core.errors import InvalidSetting
from playbooks.core.settings import Setting

# As EKS takes it. Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}", re.ASCII)


def cluster_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("the name of a cluster of EKS")
    return value


def _endpoint(value: str) -> str:
    if value and not (urlsplit(value).scheme == "https" and urlsplit(value).hostname):
        raise ValueError("a URL that starts with https://")
    return value


def _authority(value: str) -> str:
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        content = b"no base64"
    if content and b"BEGIN CERTIFICATE" not in content:
        raise ValueError("a certificate authority in PEM, as base64")
    return value


EKS_CLUSTER = Setting(
    "EKS_CLUSTER",
    cluster_name,
    None,
    "The cluster of EKS that is acted upon, by its name",
)

EKS_ENDPOINT = Setting(
    "EKS_ENDPOINT",
    _endpoint,
    "",
    "The URL of its API server; empty: EKS is asked for it and for the authority, once an instance"
    " (`eks:DescribeCluster`)",
)

EKS_CA = Setting(
    "EKS_CA",
    _authority,
    "",
    "Its certificate authority, as base64 as EKS has it; together with `EKS_ENDPOINT`",
)

EKS = (EKS_CLUSTER, EKS_ENDPOINT, EKS_CA)


def check(settings: Mapping[str, str]) -> None:
    """Raises InvalidSetting where only one of two is there."""
    if bool(settings.get(EKS_ENDPOINT.name)) != bool(settings.get(EKS_CA.name)):
        raise InvalidSetting(
            f"{EKS_ENDPOINT.name} and {EKS_CA.name} are expected both, or none of them"
        )
