"""The part of JetStream that the worker uses: nats-py's, with what the worker wants of it.

What a worker's NATS user needs, playbooks/deployment/nats/users.py has, as falco-playbook nats-user
prints it; and to publish on ``$JS.API.STREAM.CREATE.*`` where nobody makes the streams.
Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Awaitable, Callable, List, Mapping, Optional, Tuple, TypeVar

import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import (
    ConsumerConfig,
    ConsumerInfo,
    DiscardPolicy,
    PubAck,
    RawStreamMsg,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
)

from playbooks.core.instant import Instant
from playbooks.core.settings import Settings
from playbooks.engines.worker.function import HEADERS, LARGEST, Stream, readers
from playbooks.engines.worker.nats import streams
from playbooks.engines.worker.nats.consumers import Consumer
from playbooks.engines.worker.nats.streams import Unusable

T = TypeVar("T")

# Seconds that the API may take: creating a stream in a cluster is an election.
TIMEOUT = 5.0

# Streams or consumers that the server lists at once. Source: nats-io/nats-server, JSApiListLimit
PAGE = 256

# The headers by which a message is stored only where none came after that sequence: none of its
# subject, or none at all.
AFTER = "Nats-Expected-Last-Subject-Sequence"
LAST = "Nats-Expected-Last-Sequence"

# Error codes of JetStream. Source: nats-io/nats-server, server/errors.json
NOT_FOUND = 404

OVERLAP, NAME_IN_USE = 10065, 10058
OTHER_LAST = 10071

NOT_FOR_THIS_ACCOUNT, NOT_ON_THIS_SERVER = 10039, 10076


class JetStream:
    """``connection``: nats-py's. Limits are those of the streams that it creates. ``readers``:
    names of consumers for those who look through a stream."""

    def __init__(
        self,
        connection: Any,
        *,
        max_age_hours: int,
        max_megabytes: int,
        replicas: int,
        readers: Tuple[str, ...] = (),
    ) -> None:
        self.readers = readers
        self._api: JetStreamContext = connection.jetstream(timeout=TIMEOUT)
        self._limits = {
            "max_age": max_age_hours * 3600,
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
            readers=readers(settings["FUNCTION_NAMESPACE"], settings["FUNCTION_NAME"]),
        )

    async def stream(self, wanted: Stream) -> str:
        """The name of the one that keeps its subjects, created where there is none. Raises
        Unusable with what is in the way."""
        for _ in range(2):
            found = await self.found(wanted)
            if found is not None:
                return found.config.name or ""
            try:
                await self._create(wanted)
            except ApiError as error:
                # Somebody was faster: look again.
                if error.code not in (OVERLAP, NAME_IN_USE):
                    raise Unusable(f"stream {wanted.name} cannot be created: {error}") from error
        raise Unusable(
            f"stream {wanted.name} cannot be created for {wanted.subjects}: one of that name has"
            " other subjects"
        )

    async def found(self, wanted: Stream) -> Optional[StreamInfo]:
        """The same as the server has it, or None. Raises Unusable."""
        return streams.choose(await self.streams(), wanted.subjects)

    async def streams(self) -> List[StreamInfo]:
        """All that this account has."""
        return await _all("STREAM.LIST", self._api.streams_info)

    async def consumer(self, stream: str, wanted: Consumer) -> None:
        """Make sure of a consumer, and that the server has it as it was asked for.

        Raises Unusable where it has not, e.g. ignores a filter: nothing may be pulled from it.
        """
        found = await self.info(stream, wanted.name)
        if found is not None and not wanted.differences(found.config):
            return
        try:
            made = await self.add_consumer(
                stream, wanted.configuration(found.config if found is not None else None)
            )
        except ApiError as error:
            raise Unusable(
                f"consumer {wanted.name} for topic {wanted.filter} cannot be created: {error}"
            ) from error
        differences = wanted.differences(made.config)
        if differences:
            raise Unusable(
                f"consumer {wanted.name} of stream {stream} is not used: {'; '.join(differences)}"
            )

    async def add_consumer(self, stream: str, config: ConsumerConfig) -> ConsumerInfo:
        """Create it, or change the one of its name; as the server has it then."""
        call = f"CONSUMER.CREATE.{stream}.{config.name}.{config.filter_subject}"
        return await _asked(call, self._api.add_consumer(stream, config))

    async def info(self, stream: str, consumer: str) -> Optional[ConsumerInfo]:
        """None where there is no such consumer."""
        call = f"CONSUMER.INFO.{stream}.{consumer}"
        return await _unless_gone(_asked(call, self._api.consumer_info(stream, consumer)))

    async def consumers(self, stream: str, prefix: str) -> List[ConsumerInfo]:
        """Those whose names begin with ``prefix``."""
        listed = partial(self._api.consumers_info, stream)
        found = await _all(f"CONSUMER.LIST.{stream}", listed)
        return [info for info in found if info.name.startswith(prefix)]

    async def delete_consumer(self, stream: str, consumer: str) -> None:
        call = f"CONSUMER.DELETE.{stream}.{consumer}"
        await _unless_gone(_asked(call, self._api.delete_consumer(stream, consumer)))

    async def message(
        self, stream: str, sequence: int, subject: Optional[str] = None
    ) -> Optional[RawStreamMsg]:
        """The message of that sequence, or the first from there on of ``subject``; None where there
        is none."""
        found = self._api.get_msg(stream, sequence, subject, next=subject is not None)
        return await _unless_gone(_asked(f"STREAM.MSG.GET.{stream}", found))

    async def last_message(self, stream: str, subject: str) -> Optional[RawStreamMsg]:
        """The newest of exactly this subject; None where there is none."""
        found = self._api.get_last_msg(stream, subject)
        return await _unless_gone(_asked(f"STREAM.MSG.GET.{stream}", found))

    async def delete_message(self, stream: str, sequence: int) -> None:
        await _asked(f"STREAM.MSG.DELETE.{stream}", self._api.delete_msg(stream, sequence))

    async def store(
        self,
        subject: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        after: Optional[int] = None,
        last: Optional[int] = None,
    ) -> PubAck:
        """Publish and wait until a stream has it. Raises where none has.

        ``after``: the sequence of the newest of this subject, 0 for none; ``last``: that of the
        newest of the stream. Raises Overtaken where another one is.
        """
        expected = {} if after is None else {AFTER: str(after)}
        if last is not None:
            expected[LAST] = str(last)
        try:
            return await self._api.publish(subject, body, headers={**headers, **expected})
        except nats.js.errors.NoStreamResponseError as error:
            raise Unusable(f"no stream stores {subject}") from error
        except nats.js.errors.APIError as error:
            if error.err_code == OTHER_LAST:
                raise Overtaken(subject, error.description or "") from error
            raise ApiError(vars(error)) from error
        except (TypeError, ValueError) as error:
            raise Unusable(f"what answers on {subject} is no stream: {error}") from error

    async def _create(self, wanted: Stream) -> None:
        config = StreamConfig(
            name=wanted.name,
            subjects=[wanted.subjects],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_consumers=-1,
            max_msgs=-1,
            max_msg_size=LARGEST + HEADERS,
            discard=DiscardPolicy.OLD,
        ).evolve(**self._limits)
        if wanted.back:
            config = config.evolve(max_age=wanted.hours * 3600)
        await _asked(f"STREAM.CREATE.{wanted.name}", self._api.add_stream(config))


async def _asked(call: str, answer: Awaitable[T]) -> T:
    """Raises ApiError, NoJetStream, or Unusable where nobody answers."""
    try:
        return await answer
    except nats.js.errors.APIError as error:
        if isinstance(error, nats.js.errors.ServiceUnavailableError) and not error.err_code:
            raise NoJetStream("no server answers JetStream's API") from None
        wrong = ApiError(vars(error))
        if wrong.code in (NOT_FOR_THIS_ACCOUNT, NOT_ON_THIS_SERVER):
            raise NoJetStream(str(wrong)) from None
        raise wrong from error
    except asyncio.TimeoutError:
        raise Unusable(
            f"JetStream did not answer $JS.API.{call} in {TIMEOUT:.0f} s: it is starting, without a"
            " leader, or this NATS user may not publish on it"
        ) from None


async def _all(call: str, page: Callable[[int], Awaitable[List[T]]]) -> List[T]:
    """``page``: those from a number on."""
    found: List[T] = []
    while True:
        more = await _asked(call, page(len(found)))
        found.extend(more)
        if len(more) < PAGE:
            return found


async def _unless_gone(answer: Awaitable[T]) -> Optional[T]:
    try:
        return await answer
    except ApiError as error:
        if error.status == NOT_FOUND:
            return None
        raise


def started(configuration: ConsumerConfig) -> Instant:
    """Since when a consumer that was found delivers."""
    start = configuration.opt_start_time
    return Instant.parse(start.isoformat()) if start else Instant(0)


class NoJetStream(Exception):
    """This server has none, or this account may not use it."""


class Overtaken(Exception):
    """Somebody else stored a message first. ``last``: the sequence that the server names, which is
    the newest; 0 where it names none."""

    def __init__(self, subject: str, said: str) -> None:
        super().__init__(f"somebody else wrote before {subject}: {said}")
        number = said.rpartition(" ")[2]
        self.last = int(number) if number.isascii() and number.isdigit() else 0


class ApiError(Exception):
    """What JetStream answered: ``code`` (HTTP's), ``err_code`` and ``description``."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.status = error.get("code") or 0
        self.code = error.get("err_code") or 0
        super().__init__(f"{error.get('description') or 'no description'} ({self.code})")
