"""The connection to NATS, configured as NATS' own clients are."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional, Sequence

import nats.errors
from nats.aio.client import Client

from playbooks.core import tls
from playbooks.core.errors import InvalidSetting
from playbooks.core.settings import Settings
from playbooks.engines import log
from playbooks.engines.nats_urls import WEBSOCKET, Server
from playbooks.engines.worker.function import UNAUTHORIZED, inbox_prefix

# Seconds to connect, between two tries, and between two pings; two unanswered pings are a lost
# connection.
CONNECT = 5
RECONNECT = 1
PING = 10

NO_USERS = (
    "this NATS server accepts anonymous connections: anybody who can publish an alert can trigger"
    " this playbook. Give it users, and let only Falco's publisher publish on falco.>"
)


class CarefulClient(Client):
    """Sends a server the credentials of its own URL, and over TLS or not at all where TLS was asked
    for.

    nats-py does not decode credentials in a URL, and has none for servers that the cluster names
    later: here they have those of the URLs, where all URLs that have some have the same. It uses
    TLS when the server asks for it, and else sends a password in the clear, even to ``tls://``.
    """

    def __init__(self, servers: Sequence[Server] = (), *, encrypted: bool = False) -> None:
        super().__init__()
        self._refused = False
        self._encrypted = encrypted
        given = {server for server in servers if any(server.credentials)}
        self._own = {(server.host, server.port): server.credentials for server in given}
        common = {server.credentials for server in given}
        self._common = common.pop() if len(common) == 1 else ("", "", "")

    def refused(self) -> Dict[str, str]:
        """From now on its user is refused; what the line that warns of it says beside."""
        self._refused = True
        return {"reason": UNAUTHORIZED}

    def let_in(self) -> Dict[str, str]:
        """From now on it is not; what the line that says so ends, where its user was refused."""
        refused, self._refused = self._refused, False
        return {"over": UNAUTHORIZED} if refused else {}

    def _connect_command(self) -> bytes:
        if self._encrypted and not self._server_info.get("tls_required"):
            raise nats.errors.Error("NATS settings ask for TLS, and the server offers none")
        if self._own:
            assert self._current_server is not None
            uri = self._current_server.uri
            user, password, token = self._own.get((uri.hostname or "", uri.port or 0), self._common)
            self._auth_configured = True
            self.options["user"] = user or None
            self.options["password"] = password if user else None
            self.options["token"] = token or None
        return bytes(super()._connect_command())


def options(settings: Settings) -> Dict[str, Any]:
    """Arguments of ``connect``. Credentials in URLs are the client's. Raises InvalidSetting."""
    schemes = {server.scheme for server in settings["NATS_URL"]}
    if schemes & set(WEBSOCKET) and find_spec("aiohttp") is None:
        raise InvalidSetting(
            "NATS_URL (not shown) begins with ws:// or wss://, which needs the package aiohttp, and"
            " that is not installed here: use nats:// or tls://"
        )
    chosen: Dict[str, Any] = {
        "servers": [server.url for server in settings["NATS_URL"]],
        "connect_timeout": CONNECT,
        "reconnect_time_wait": RECONNECT,
        "max_reconnect_attempts": -1,
        "ping_interval": PING,
        "max_outstanding_pings": 2,
    }
    if "FUNCTION_NAME" in settings:
        place = settings["FUNCTION_NAMESPACE"], settings["FUNCTION_NAME"]
        chosen["inbox_prefix"] = inbox_prefix(*place)
    if settings["NATS_USER"]:
        chosen["user"], chosen["password"] = settings["NATS_USER"], settings["NATS_PASSWORD"]
    if settings["NATS_TOKEN"]:
        chosen["token"] = settings["NATS_TOKEN"]
    if settings["NATS_CREDS"]:
        chosen["user_credentials"] = settings["NATS_CREDS"]
    context = _tls(settings)
    if context is not None:
        chosen["tls"] = context
    return chosen


def client(settings: Settings) -> CarefulClient:
    """Not connected yet."""
    apart = settings["NATS_USER"] or settings["NATS_TOKEN"] or settings["NATS_CREDS"]
    servers = () if apart else settings["NATS_URL"]
    return CarefulClient(servers, encrypted=_wants_tls(settings))


#: What NATS says to a user whose rights have the uid of another Function.
OTHER_FUNCTION = 'permissions violation for subscription to "falco-outcome.'

_ADVICE = (
    "; the user is limited to another Function, or to one of this name that was removed: run"
    " deploy_playbook -S --with-nats again, or give it what falco-playbook nats-user prints"
)


async def connect(
    settings: Settings,
    *,
    name: str,
    back: Optional[Callable[[], Awaitable[None]]] = None,
    closed: Optional[Callable[[], Awaitable[None]]] = None,
) -> CarefulClient:
    """Tries until it is there, and says what is in the way; connects again for ever.

    ``name`` shows in NATS' own monitoring. ``back`` is called when it is there again, ``closed``
    when it is given up for good, by nats-py itself.
    """
    chosen = options(settings)
    connection = client(settings)
    said: List[str] = []

    async def complain(error: Exception) -> None:
        words = f"{type(error).__name__}: {error}".rstrip(": ")
        # Once a cause, not once a try.
        if said[-1:] != [words]:
            said[:] = [words]
            earlier = OTHER_FUNCTION in words.lower()
            hopeless = earlier or _is_hopeless(words, chosen)
            reason = connection.refused() if hopeless else {}
            log.warn(f"NATS ({shown(settings)}): {words}{_ADVICE * earlier}", **reason)

    async def found() -> None:
        said.clear()
        log.info(f"connected to NATS ({shown(settings)}) again", **connection.let_in())
        if back is not None:
            await back()

    async def gone() -> None:
        if connection.is_closed:
            return
        log.warn(f"the connection to NATS ({shown(settings)}) is lost, reconnecting")

    await connection.connect(
        name=name,
        error_cb=complain,
        reconnected_cb=found,
        disconnected_cb=gone,
        closed_cb=closed,
        **chosen,
    )
    said.clear()
    if lets_anybody_in(connection._server_info):
        log.warn(NO_USERS)
    return connection


def has_jetstream(client: Any) -> bool:
    """Whether the server that it is connected to says so of itself."""
    return bool(client._server_info.get("jetstream"))


def lets_anybody_in(server_info: Dict[str, Any]) -> bool:
    """Whether the server asks for neither credentials nor a client certificate.

    Source: https://docs.nats.io/reference/reference-protocols/nats-protocol#info
    """
    return not server_info.get("auth_required") and not server_info.get("tls_verify")


def _is_hopeless(words: str, chosen: Mapping[str, Any]) -> bool:
    """Whether the user is refused, or may hear no answer: that of another worker may not."""
    inbox = f'permissions violation for subscription to "{chosen.get("inbox_prefix", "_INBOX")}.'
    said = words.lower()
    return "authorization violation" in said or inbox.lower() in said


def shown(settings: Settings) -> str:
    """The servers without their credentials."""
    return ", ".join(map(str, settings["NATS_URL"]))


def _wants_tls(settings: Settings) -> bool:
    schemes = {server.scheme for server in settings["NATS_URL"]}
    asked = settings["NATS_CA"] or settings["NATS_CERT"] or schemes & {"tls"}
    return bool(asked) and not schemes & set(WEBSOCKET)


def _tls(settings: Settings) -> Optional[ssl.SSLContext]:
    authorities, certificate, key = (
        settings["NATS_CA"],
        settings["NATS_CERT"],
        settings["NATS_KEY"],
    )
    if not (authorities or certificate or key):
        return None
    if bool(certificate) != bool(key):
        raise InvalidSetting("NATS_CERT and NATS_KEY are a pair, and only one of them is set")
    try:
        context = tls.context(cafile=authorities or None)
        if certificate:
            context.load_cert_chain(certificate, key)
    except OSError as error:
        raise InvalidSetting(
            f"NATS_CA, NATS_CERT and NATS_KEY are expected to be PEM files: {error}"
        ) from None
    return context
