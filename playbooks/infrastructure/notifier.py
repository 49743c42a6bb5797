"""Services that tell people, such as Teams, PagerDuty, mail or Telegram, by apprise.

apprise is imported where it is used only: it is an extra. Source: https://github.com/caronc/apprise
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterable, List, Set, Tuple
from urllib.parse import unquote, urlsplit

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidSetting, NotificationFailed
from playbooks.core.notifications.settings import SERVICES
from playbooks.core.notifications.text_message import TextMessage, of_outcome
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Notifier
from playbooks.core.redaction.redaction import HIDDEN
from playbooks.core.settings import LOOPBACK
from playbooks.infrastructure.messages import MessageRecorder

# Messages that some services took and others did not.
REMEMBERED = 1000

# Services that are told at a time.
AT_A_TIME = 8

# Characters of the shortest part of a URL that is hidden where it stands alone.
SHORTEST = 4


class AppriseNotifier(Notifier):
    """``urls`` are secrets: no error and no line of apprise's log has them.

    Each service is an object of its own: what one of several took is not sent to it again where
    another failed. Threads may share it. Raises InvalidSetting.
    """

    def __init__(self, urls: Tuple[str, ...]) -> None:
        self._services = _services(urls)
        self._taken: OrderedDict[bytes, Set[int]] = OrderedDict()
        self._lock = threading.Lock()

    def send(self, message: TextMessage) -> None:
        key = hashlib.sha256(f"{message.title}\0{message.body}".encode()).digest()
        with self._lock:
            taken = self._taken.setdefault(key, set())
            while len(self._taken) > REMEMBERED:
                self._taken.popitem(last=False)
        left = [n for n in range(len(self._services)) if n not in taken]
        with ThreadPoolExecutor(min(len(left), AT_A_TIME) or 1, "notify") as pool:
            told = list(pool.map(lambda n: _told(self._services[n][1], message), left))
        taken.update(n for n, done in zip(left, told) if done)
        failed = [self._services[n][0] for n, done in zip(left, told) if not done]
        if failed:
            raise NotificationFailed(
                f"{len(failed)} of {len(self._services)} services did not take the message:"
                f" {', '.join(failed)}; the log has apprise's own words"
            )
        with self._lock:
            self._taken.pop(key, None)


class NotifyRecorder(MessageRecorder[Notifier]):
    WHERE = "services"

    def tell(self, alert: Alert, outcome: Outcome) -> None:
        self._service.send(of_outcome(self._playbook, alert, outcome, self._options))


def _told(service: Any, message: TextMessage) -> bool:
    """Before 2.0 apprise says True, since then an object that is true where all were told."""
    try:
        return bool(
            service.notify(
                body=message.body,
                title=message.title,
                notify_type=message.urgency,
                body_format="text",
            )
        )
    except Exception as error:
        # What a service raises may have its URL.
        logging.getLogger("apprise").warning("%s of a service", type(error).__name__)
        return False


def _services(urls: Tuple[str, ...]) -> List[Tuple[str, Any]]:
    """The name of each and its object."""
    try:
        import apprise
    except ImportError:
        raise InvalidSetting(
            f"{SERVICES.name} is set, and apprise is not installed: install the extra 'notify' of"
            " the playbooks, or a worker image built with it"
        ) from None
    _quieten(urls)
    # Nothing is written to disk: a function has none.
    asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, storage_mode="memory")
    found = []
    for number, url in enumerate(urls, 1):
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise _wrong(number, "apprise knows no such service, or it lacks a part")
        name = f"number {number} ({service.service_name})"
        _check_encrypted(number, service)
        if "overflow=" not in url:
            service.overflow_mode = apprise.OverflowMode.TRUNCATE
        alone = apprise.Apprise(asset=asset)
        alone.add(service)
        found.append((name, alone))
    return found


def _check_encrypted(number: int, service: Any) -> None:
    """Refuses what anybody on the way could read, where the service can do better."""
    used, _, rest = service.url(privacy=True).partition("://")
    if used not in _schemes(service.protocol) or not _schemes(service.secure_protocol):
        return
    if urlsplit(f"//{rest}").hostname in LOOPBACK:
        return
    better = sorted(_schemes(service.secure_protocol))[0]
    raise _wrong(number, f"{used}:// is not encrypted, {better}:// is")


def _schemes(found: Any) -> Set[str]:
    return {found} if isinstance(found, str) else set(found or ())


def _wrong(number: int, why: str) -> InvalidSetting:
    return InvalidSetting(
        f"{SERVICES.name} is (not shown), expected URLs that apprise takes; number {number}: {why}"
    )


class _Redacted(logging.Filter):
    """Takes parts of the URLs out of lines, and leaves tracebacks out."""

    def __init__(self, urls: Iterable[str]) -> None:
        super().__init__()
        parts = {part for url in urls for part in _parts(url) if len(part) >= SHORTEST}
        longest_first = sorted(parts, key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._secret.sub(HIDDEN, record.getMessage()), ()
        record.exc_info = record.exc_text = None
        return True


def _parts(url: str) -> Iterable[str]:
    """The whole, and what stands between its separators, as it is written and decoded."""
    rest = url.partition("://")[2]
    for text in {rest, unquote(rest)}:
        yield text
        yield from re.split(r"[/?&=#:@,]", text)


def _quieten(urls: Iterable[str]) -> None:
    """apprise writes URLs with their passwords, and answers, to its debug log."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.WARNING)
    logger.addFilter(_Redacted(urls))
