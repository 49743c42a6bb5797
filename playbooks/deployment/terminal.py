"""What deploy_playbook says: what it did on standard output, the rest on standard error."""

from __future__ import annotations

import sys
from typing import Iterable, Sequence, Tuple

from playbooks.deployment.apply.orphaned_roles import sweep
from playbooks.deployment.kubectl import Kubectl


def done(report: Iterable[Tuple[str, str]]) -> None:
    """What was done to what, such as ("created", "Function shop/falco-delete")."""
    for verb, shown in report:
        print(f"{verb:<10}{shown}", flush=True)


def tell(kind: str, lines: Iterable[str]) -> None:
    for line in lines:
        print(f"deploy_playbook: {kind}: {line}", file=sys.stderr)


def sweep_unless(warnings: Sequence[str], kubectl: Kubectl) -> None:
    """Remove what functions left behind, unless it is known already that one may not look."""
    removed, more = ([], []) if warnings else sweep(kubectl)
    done(("swept", f"{shown}, whose function is gone") for shown in removed)
    tell("warning", [*warnings, *more])
