"""What programs print: results on standard output, problems and remarks on standard error."""

from __future__ import annotations

import sys
from typing import Iterable, Sequence, Tuple

import yaml

from playbooks.core.cluster.manifest import Manifest


def print_done(report: Iterable[Tuple[str, str]]) -> None:
    """What was done to what, such as ("created", "Function shop/falco-delete")."""
    for verb, shown in report:
        print(f"{verb:<10}{shown}", flush=True)


def print_messages(kind: str, lines: Iterable[str], *, program: str = "deploy_playbook") -> None:
    """On standard error. ``kind``: error, warning, or empty for a plain remark."""
    prefix = f"{program}: {kind}: " if kind else f"{program}: "
    for line in lines:
        print(f"{prefix}{line}", file=sys.stderr, flush=True)


tell = print_messages


class _Dumper(yaml.SafeDumper):
    """Long text stays on its line, lines stay lines, and nothing is an alias of anything."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quoted, unless it begins like a word: YAML of another version may take it for a number."""
    style = None if text[:1].isalpha() or text[:1] == "/" else '"'
    style = "|" if "\n" in text else style
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def documents(manifests: Sequence[Manifest]) -> str:
    """Objects as the YAML that ``-d`` prints and ``kubectl apply -f -`` takes."""
    return "---\n".join(
        yaml.dump(
            manifest,
            Dumper=_Dumper,
            default_flow_style=False,
            allow_unicode=True,
            width=float("inf"),
        )
        for manifest in manifests
    )
