"""Secrets Manager: settings that a function gets from a key of a secret.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, Optional, Tuple

from playbooks.core.errors import NoCluster
from playbooks.infrastructure.amazon.api import AwsApi


def with_secrets(
    references: Mapping[str, Tuple[str, str]],
    environ: Mapping[str, str] = os.environ,
    *,
    aws: Optional[AwsApi] = None,
) -> Dict[str, str]:
    """The environment with the texts of secrets in it. ``references``: name and key of a secret, by
    the name of the variable. A secret is read once, whichever of its keys are wanted.

    Raises ClusterUnavailable, NotPermitted or NoCluster, which name the secret.
    """
    aws = aws or AwsApi(environ)
    secrets = {name: _secret(name, aws) for name in {name for name, _ in references.values()}}
    found = {
        variable: _text(secrets[name], name, key) for variable, (name, key) in references.items()
    }
    return {**environ, **found}


def _secret(name: str, aws: AwsApi) -> Any:
    answer = aws.post(
        "secretsmanager",
        "secretsmanager.GetSecretValue",
        {"SecretId": name},
        what=f"secret {name}",
        action="secretsmanager:GetSecretValue",
    )
    try:
        return json.loads(answer["SecretString"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _text(secret: Any, name: str, key: str) -> str:
    """Never what the secret holds is in an error."""
    if not isinstance(secret, dict):
        raise NoCluster(f"secret {name} is no JSON object, expected one with the key {key}")
    text = secret.get(key)
    if not isinstance(text, str):
        raise NoCluster(f"secret {name} has no text under the key {key}")
    return text
