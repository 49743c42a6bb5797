"""What was typed on the command line of ``deploy_playbook``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

DEFAULT_RUNTIME = "python3.8"


@dataclass(frozen=True)
class Options:
    """Not checked yet. ``context``: of the kubeconfig, empty for the current one. ``own``: the
    options that only some engines take, by name, without those that were not given."""

    playbook: Optional[str] = None
    values: Tuple[str, ...] = ()
    references: Tuple[str, ...] = ()
    topics: Tuple[str, ...] = ()
    namespace: Optional[str] = None
    context: str = ""
    name: Optional[str] = None
    runtime: str = DEFAULT_RUNTIME
    engine: str = "auto"
    set_up: bool = False
    show: bool = False
    remove: bool = False
    list: bool = False
    force: bool = False
    own: Mapping[str, Any] = field(default_factory=dict)
