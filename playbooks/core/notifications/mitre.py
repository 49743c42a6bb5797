"""What of MITRE ATT&CK the tags of a rule name.

Source: https://falco.org/docs/concepts/rules/style-guide/ (``mitre_execution``, ``T1059``).
"""

from __future__ import annotations

import re
from typing import Iterable

_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?", re.ASCII)
_TACTIC = re.compile(r"mitre_([a-z_]{3,40})", re.ASCII)

# Tags that are shown.
_MOST = 10


def mitre(tags: Iterable[str]) -> str:
    """Tactics, then techniques: ``Execution, T1059``; empty where the tags name none."""
    known = list(tags)
    tactics = [found[1] for found in map(_TACTIC.fullmatch, known) if found]
    techniques = [tag for tag in known if _TECHNIQUE.fullmatch(tag)]
    words = [tactic.replace("_", " ").strip().capitalize() for tactic in tactics]
    return ", ".join(list(dict.fromkeys([*words, *techniques]))[:_MOST])
