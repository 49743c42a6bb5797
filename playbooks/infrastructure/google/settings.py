"""The settings of functions on Google Cloud. Nothing of Google is imported here."""

from __future__ import annotations

import re

from playbooks.core.settings import Setting

NAME = re.compile(
    r"projects/[\w:.-]+(?:/locations/(?P<location>[\w-]+))?/secrets/[\w-]+/versions/[\w-]+",
    re.ASCII,
)


def secret_name(value: str) -> str:
    """The kind of a setting that names a version of a secret."""
    if not NAME.fullmatch(value):
        raise ValueError("a name such as projects/PROJECT/secrets/SECRET/versions/latest")
    return value


KUBECONFIG_SECRET = Setting(
    "KUBECONFIG_SECRET",
    secret_name,
    None,
    "The kubeconfig of the cluster, in Secret Manager:"
    " projects/PROJECT/secrets/SECRET/versions/latest",
)
