"""The sweep of a playbook, as its settings want it."""

from __future__ import annotations

from typing import Mapping, Optional

from playbooks.core.containment.expiry import Sweep, sweep_of
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.core.world import ClusterWorld, World


def sweep(
    playbook: Playbook, environ: Mapping[str, str], world: Optional[World] = None
) -> Optional[Sweep]:
    """None where nothing that it contains ends by itself, and in a dry run.

    Raises InvalidSetting.
    """
    settings = read(playbook.settings, environ)
    ttl = playbook.reaction.TTL
    if not ttl or settings[ttl] is None or settings["DRY_RUN"]:
        return None
    world = world or playbook.world(playbook.name, settings)
    assert isinstance(world, ClusterWorld)
    return sweep_of(
        playbook.reaction.STRIKES,
        world.cluster,
        world.clock,
        world.ledger,
        settings["NAMESPACES"],
    )
