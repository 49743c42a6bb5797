"""What was typed on the command line of ``deploy_playbook``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from playbooks.core.cluster.manifest import function_name
from playbooks.deployment.request.assignments import Given

DEFAULT_RUNTIME = "python3.8"


@dataclass(frozen=True)
class Options:
    """Not checked yet. ``context``: of the kubeconfig, empty for the current one. ``engine``: as
    ``-E`` takes it, empty where none was typed. ``own``: the options that only some engines take,
    by name, without those that were not given.
    ``described``: files of playbooks. ``kept``: for the settings that are not typed, what a file
    says or what is deployed already."""

    playbook: Optional[str] = None
    values: Tuple[str, ...] = ()
    references: Tuple[str, ...] = ()
    topics: Tuple[str, ...] = ()
    namespace: Optional[str] = None
    context: str = ""
    name: Optional[str] = None
    runtime: Optional[str] = None
    engine: str = ""
    set_up: bool = False
    with_nats: bool = False
    nats_image: str = ""
    show: bool = False
    remove: bool = False
    list: bool = False
    force: bool = False
    yes: bool = False
    reuse: bool = False
    described: Tuple[str, ...] = ()
    kubeconfig: str = ""
    release: bool = False
    leave_contained: bool = False
    granted: bool = False
    show_secrets: bool = False
    kept: Tuple[Given, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deployed_name(self) -> str:
        """What is deployed has it after ``falco-``; empty where no playbook is named either."""
        return self.name or self.playbook or ""

    @property
    def cluster(self) -> List[str]:
        """Which cluster is meant, as kubectl and deploy_playbook take it."""
        given = (("--context", self.context), ("--kubeconfig", self.kubeconfig))
        return [word for flag, text in given if text for word in (flag, text)]

    @property
    def function(self) -> str:
        return function_name(self.deployed_name)


def naming(playbook: str, name: str) -> List[str]:
    """The words that name what is deployed to a command: also ``-N``, where that is another."""
    return ["-p", playbook, *(["-N", name] if name != playbook else [])]


def only_given(own: Mapping[str, Any]) -> Dict[str, Any]:
    """Without options that are not given. A zero is."""
    return {
        name: value
        for name, value in own.items()
        if value is not None and value is not False and value != ()
    }
