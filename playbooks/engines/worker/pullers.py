"""The pullers of an intake, one a topic: paused together, and begun anew together."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator

from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.nats.pull import Puller

Take = Callable[[Delivery, Callable[[], None]], None]


class Pullers:
    """``broken`` is called with the topic of one whose consumer does not answer, and why."""

    def __init__(
        self, connection: Any, *, window: int, take: Take, broken: Callable[[str, str], None]
    ) -> None:
        self._connection = connection
        self._window = window
        self._take = take
        self._broken = broken
        self._pullers: Dict[str, Puller] = {}
        self._away = False
        self._stopped = False

    def __contains__(self, topic: str) -> bool:
        return topic in self._pullers

    def __iter__(self) -> Iterator[str]:
        """The topics of the moment, also while some come and go."""
        return iter(list(self._pullers))

    async def begin(self, topic: str, stream: str, consumer: str) -> bool:
        """Whether it was necessary."""
        if topic in self._pullers or self._stopped:
            return False
        puller = self._pullers[topic] = Puller(
            self._connection,
            stream=stream,
            consumer=consumer,
            topic=topic,
            window=self._window,
            take=self._take,
            broken=lambda why: self._broken(topic, why),
        )
        await puller.start()
        if self._away:
            puller.pause()
        return True

    async def drop(self, topic: str) -> bool:
        """Whether there was one."""
        puller = self._pullers.pop(topic, None)
        if puller is None:
            return False
        await puller.stop()
        return True

    def renew(self, topic: str) -> None:
        if topic in self._pullers:
            self._pullers[topic].renew()

    def tick(self) -> None:
        for puller in list(self._pullers.values()):
            puller.tick()

    def pause(self, away: bool) -> None:
        """``away`` False: go on."""
        self._away = away
        for puller in self._pullers.values():
            (puller.pause if away else puller.resume)()

    def stop(self) -> None:
        """No more requests, and no more pullers."""
        self._stopped = True
        for puller in self._pullers.values():
            puller.pause()
