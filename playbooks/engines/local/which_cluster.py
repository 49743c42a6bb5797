"""Which cluster a playbook would act on, decided as the Kubernetes client decides it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional

# The client's default for KUBECONFIG. Source: kubernetes.config.kube_config.
DEFAULT = "~/.kube/config"


@dataclass(frozen=True)
class RealCluster:
    """``words``: what a person calls it. ``environ``: what the playbook's process needs."""

    words: str
    environ: Mapping[str, str]


def which_cluster(environ: Mapping[str, str]) -> Optional[RealCluster]:
    """A service account where we run in a pod, else the kubeconfig; None where there is neither.

    An empty ``KUBECONFIG`` names no file, so that it asks for none.
    """
    load = environ.get("KUBERNETES_LOAD_KUBE_CONFIG")
    if not load and all(environ.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT")):
        return RealCluster("the cluster that this runs in, with its service account.", {})
    files = kubeconfigs(environ)
    if not files:
        return None
    shown = os.pathsep.join(str(file) for file in files)
    return RealCluster(
        f"the cluster of {shown}{_context(files)}. (-e KUBECONFIG= takes a stand-in instead.)",
        {"KUBERNETES_LOAD_KUBE_CONFIG": "1"},
    )


def kubeconfigs(environ: Mapping[str, str]) -> List[Path]:
    """Those named by KUBECONFIG that exist."""
    named = environ.get("KUBECONFIG", DEFAULT).split(os.pathsep)
    paths = [Path(name).expanduser() for name in named if name]
    return [path for path in paths if path.exists()]


def _context(files: List[Path]) -> str:
    import yaml  # comes with the Kubernetes client

    for file in files:
        try:
            document = yaml.safe_load(file.read_text("utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if isinstance(document, dict) and document.get("current-context"):
            return f", context {document['current-context']}"
    return ""
