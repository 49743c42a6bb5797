"""A playbook: a reaction wired to its collaborators and settings, behind the guards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence, Tuple, Type

from playbooks.core import guards
from playbooks.core.alert import Alert
from playbooks.core.errors import PlaybookError, Unexpected
from playbooks.core.guards import Guard
from playbooks.core.outcome import Outcome
from playbooks.core.permissions import Permission
from playbooks.core.ports import Reaction
from playbooks.core.settings import Setting, Settings, read


@dataclass(frozen=True)
class Playbook:
    """The declaration that an entrypoint makes.

    ``reaction`` declares its own ``SETTINGS`` and ``PERMISSIONS``; ``build`` makes one from the
    typed settings, without connecting anywhere yet. ``packages``: the distributions that a
    function of it installs.
    """

    name: str
    reaction: Type[Reaction]
    build: Callable[[Settings], Reaction]
    packages: Tuple[str, ...]

    @property
    def settings(self) -> Tuple[Setting, ...]:
        return self.reaction.SETTINGS + guards.SETTINGS

    @property
    def permissions(self) -> Tuple[Permission, ...]:
        return self.reaction.PERMISSIONS

    def responder(self, environ: Mapping[str, str]) -> Responder:
        """The playbook with its settings read. Raises InvalidSetting."""
        settings = read(self.settings, environ)
        looked_up = bool(self.permissions)
        return Responder(self.build(settings), guards.guards(settings, looked_up=looked_up))


class Responder:
    """Alert in, outcome out. The one place that turns an error into a failed outcome."""

    def __init__(self, reaction: Reaction, guards: Sequence[Guard]) -> None:
        self._reaction = reaction
        self._guards = guards

    def answer(self, body: Any) -> Outcome:
        """Never raises an Exception: what went wrong is the failed outcome's ``error``."""
        try:
            alert = Alert.parse(body)
            refusals = (guard.refusal(alert) for guard in self._guards)
            refused = next((refusal for refusal in refusals if refusal), None)
            return refused or self._reaction.run(alert)
        except PlaybookError as error:
            return Outcome.failed(error)
        except Exception as error:
            unexpected = Unexpected(f"{type(error).__name__}: {error}")
            unexpected.__cause__ = error
            return Outcome.failed(unexpected)
