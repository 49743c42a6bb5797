"""The part of JetStream's API that the worker uses, as plain dicts.

A worker's NATS user needs to publish on ``$JS.API.STREAM.LIST``, ``$JS.API.CONSUMER.LIST.FALCO``,
``$JS.API.CONSUMER.{CREATE,INFO,DELETE,MSG.NEXT}.<stream>.>`` and ``$JS.ACK.<stream>.>`` of the
streams FALCO (or the one that covers ``falco.>``) and FALCO_INBOX, on ``falco-dead.<function>``,
``falco-outcomes.<function>``, ``falco-inbox.<uid>`` and ``falco-outcome.<uid>.*``; to subscribe to
``_INBOX.>`` and ``falco-outcome.<uid>.*``; and ``$JS.API.STREAM.CREATE.*`` where nobody makes the
streams for it.
Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Dict, List, Mapping, Optional

import nats.errors

from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.settings import Settings
from playbooks.engines.worker.nats import streams
from playbooks.engines.worker.nats.consumers import Consumer

# Seconds that the API may take: creating a stream in a cluster is an election.
TIMEOUT = 5.0

HOUR = 3600 * NANOSECONDS

# error codes of JetStream. Source: nats-io/nats-server, server/errors.json
NOT_FOUND = 404

OVERLAP = 10065

NAME_IN_USE = 10058


class JetStream:
    """``connection``: nats-py's. Limits are those of the streams that it creates."""

    def __init__(
        self, connection: Any, *, max_age_hours: int, max_megabytes: int, replicas: int
    ) -> None:
        self._connection = connection
        self._limits = {
            "max_age": max_age_hours * HOUR,
            "max_bytes": max_megabytes * 1024 * 1024,
            "num_replicas": replicas,
        }

    @classmethod
    def of(cls, connection: Any, settings: Settings) -> JetStream:
        return cls(
            connection,
            max_age_hours=settings["STREAM_MAX_AGE_HOURS"],
            max_megabytes=settings["STREAM_MAX_MEGABYTES"],
            replicas=int(settings["STREAM_REPLICAS"]),
        )

    async def call(self, what: str, body: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
        """Raises ApiError, NoJetStream, or Unusable where nobody answers."""
        try:
            message = await self._connection.request(
                f"$JS.API.{what}", json.dumps(body or {}).encode(), timeout=TIMEOUT
            )
        except nats.errors.NoRespondersError:
            raise NoJetStream("no server answers JetStream's API") from None
        except (nats.errors.TimeoutError, asyncio.TimeoutError):
            verb = ".".join(what.split(".")[:2])
            raise Unusable(
                f"JetStream did not answer {verb} in {TIMEOUT:.0f} s: it is starting, without a"
                " leader, or this NATS user may not publish on it"
            ) from None
        answer: Dict[str, Any] = json.loads(message.data)
        if "error" in answer:
            error = ApiError(answer["error"])
            # 10039: not for this account; 10076: not on this server.
            if error.code in (10039, 10076):
                raise NoJetStream(str(error))
            raise error
        return answer

    async def stream(self, subjects: str, name: str, max_age_hours: Optional[int] = None) -> str:
        """The stream that keeps ``subjects``, created as ``name`` where there is none.

        ``max_age_hours``: where it is not that of the other streams. Raises Unusable with what is
        in the way.
        """
        for _ in range(2):
            choice = streams.choose(await self._streams(subjects), subjects)
            if isinstance(choice, streams.Use):
                return choice.name
            if isinstance(choice, streams.Refuse):
                raise Unusable(choice.why)
            try:
                created = self._new_stream(name, subjects)
                if max_age_hours is not None:
                    created["max_age"] = max_age_hours * HOUR
                await self.call(f"STREAM.CREATE.{name}", created)
            except ApiError as error:
                # Somebody was faster: look again.
                if error.code not in (OVERLAP, NAME_IN_USE):
                    raise Unusable(f"stream {name} cannot be created: {error}") from error
        raise Unusable(
            f"stream {name} cannot be created for {subjects}: one of that name has other subjects"
        )

    async def consumer(self, stream: str, wanted: Consumer) -> None:
        """Make sure of a consumer, and that the server has it as it was asked for.

        Raises Unusable where it has not, e.g. ignores a filter: nothing may be pulled from it.
        """
        found = await self.configuration(stream, wanted.name)
        if found is None:
            await self._put(stream, wanted, wanted.configuration())
        elif wanted.differences(found):
            await self._put(stream, wanted, wanted.configuration(found))
        else:
            return
        differences = wanted.differences(await self.configuration(stream, wanted.name) or {})
        if differences:
            raise Unusable(
                f"consumer {wanted.name} of stream {stream} is not used: {'; '.join(differences)}"
            )

    async def _put(self, stream: str, wanted: Consumer, configuration: Mapping[str, Any]) -> None:
        try:
            await self.call(
                f"CONSUMER.CREATE.{stream}.{wanted.name}.{wanted.filter}",
                {"stream_name": stream, "config": configuration},
            )
        except ApiError as error:
            raise Unusable(
                f"consumer {wanted.name} for topic {wanted.filter} cannot be created: {error}"
            ) from error

    async def configuration(self, stream: str, consumer: str) -> Optional[Dict[str, Any]]:
        info = await self.info(stream, consumer)
        return None if info is None else dict(info["config"])

    async def info(self, stream: str, consumer: str) -> Optional[Dict[str, Any]]:
        try:
            return await self.call(f"CONSUMER.INFO.{stream}.{consumer}")
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def consumers(self, stream: str, prefix: str) -> List[Dict[str, Any]]:
        """Those whose names begin with ``prefix``."""
        found: List[Dict[str, Any]] = []
        while True:
            page = await self.call(f"CONSUMER.LIST.{stream}", {"offset": len(found)})
            items = page.get("consumers") or []
            found.extend(items)
            if not items or len(found) >= page.get("total", 0):
                return [item for item in found if item["name"].startswith(prefix)]

    async def delete_consumer(self, stream: str, consumer: str) -> None:
        try:
            await self.call(f"CONSUMER.DELETE.{stream}.{consumer}")
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise

    async def store(self, subject: str, body: bytes, headers: Mapping[str, str]) -> Dict[str, Any]:
        """Publish and wait until a stream has it. Raises where none has."""
        message = await self._connection.request(
            subject, body, timeout=TIMEOUT, headers=dict(headers)
        )
        answer: Dict[str, Any] = json.loads(message.data)
        if "error" in answer:
            raise ApiError(answer["error"])
        return answer

    async def _streams(self, subjects: str) -> List[streams.Stream]:
        found: List[Any] = []
        while True:
            page = await self.call("STREAM.LIST", {"offset": len(found), "subject": subjects})
            items = page.get("streams") or []
            found.extend(items)
            if not items or len(found) >= page.get("total", 0):
                return [streams.stream(item["config"]) for item in found]

    def _new_stream(self, name: str, subjects: str) -> Dict[str, Any]:
        return {
            "name": name,
            "subjects": [subjects],
            "retention": streams.LIMITS,
            "storage": "file",
            "discard": "old",
            "max_consumers": -1,
            "max_msgs": -1,
            "max_msg_size": -1,
            **self._limits,
        }


def started(configuration: Mapping[str, Any]) -> Instant:
    """Since when a consumer that was found delivers."""
    start = configuration.get("opt_start_time")
    return Instant.parse(start) if start else Instant(0)


class Unusable(Exception):
    """JetStream cannot be used as it is. The words say why, and what to do."""


class NoJetStream(Exception):
    """This server has none, or this account may not use it."""


class ApiError(Exception):
    """What JetStream answered."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.status = error.get("code", 0)
        self.code = error.get("err_code", 0)
        super().__init__(f"{error.get('description', 'no description')} ({self.code})")
