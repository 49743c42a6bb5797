"""How alerts come in: what JetStream and plain NATS have in common."""

from __future__ import annotations

from typing import Protocol, Sequence

from playbooks.engines.worker.topics.topics import Subscription


class Intake(Protocol):
    durable: bool

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """Those of the moment, and those that ended and still owe something."""

    def missing(self) -> str:
        """What keeps alerts from coming in, or empty."""

    async def unusable(self) -> str:
        """Asks for what every alert needs beside its own stream: why that cannot be used, or
        empty."""

    async def apply(self, wanted: Sequence[Subscription]) -> None:
        """Begin and end subscriptions. What cannot be done is logged, and tried at the next
        ``tick``."""

    async def tick(self) -> None:
        """Called every second."""

    async def renew(self) -> None:
        """Called after every new connection."""

    def pause(self, away: bool) -> None:
        """Take nothing more for a while, or go on."""

    async def stop(self) -> None: ...

    async def retire(self) -> None:
        """Delete what the server keeps for the function, which is removed. Logs what stays."""
