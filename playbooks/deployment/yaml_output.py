"""Objects as the YAML that ``-d`` prints and ``kubectl apply -f -`` takes."""

from __future__ import annotations

from typing import Sequence

import yaml

from playbooks.core.cluster.manifest import Manifest


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
