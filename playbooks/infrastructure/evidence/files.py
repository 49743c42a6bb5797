"""Where sets of evidence are stored: S3, Google's storage or a directory, by fsspec.

fsspec and what serves a scheme are imported when the first file is written or read, and not
before: only a function with EVIDENCE_URL has them.
"""

from __future__ import annotations

import json
import threading
from importlib.util import find_spec
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from playbooks.core.errors import EvidenceUnavailable, InvalidSetting
from playbooks.core.evidence import settings as evidence
from playbooks.core.settings import Settings

# Seconds to connect, and to wait for an answer, which the time of the whole set limits further.
_S3_LIMITS = {"connect_timeout": 3, "read_timeout": 10, "retries": {"max_attempts": 1}}

# What each scheme's file system is installed by, for whoever finds it missing.
_INSTALL = "install the extra 'evidence' of the playbooks, or a worker image built with it"


class EvidenceFiles:
    """Files beneath a URL. Connects at the first call. Threads may share it.

    Raises InvalidSetting where what serves the URL's scheme is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        self.url: str = settings[evidence.URL.name]
        missing = [
            name for name in evidence.packages({evidence.URL.name: self.url}) if not find_spec(name)
        ]
        if missing:
            raise InvalidSetting(
                f"{evidence.URL.name} is set, and {missing[0]} is not installed: {_INSTALL}"
            )
        self._settings = settings
        self._system: Any = None
        self._lock = threading.Lock()

    def write(self, path: str, content: bytes, *, seconds: float) -> None:
        """Store one file whole. Raises EvidenceUnavailable, after ``seconds`` at the latest."""
        self._within(seconds, "write", path, lambda system, at: system.pipe_file(at, content))

    def read(self, path: str, *, seconds: float) -> Optional[bytes]:
        """A file's content; None where it is not there, or may not be read."""

        def read(system: Any, at: str) -> Optional[bytes]:
            try:
                return bytes(system.cat_file(at))
            except (FileNotFoundError, PermissionError):
                return None

        found: Optional[bytes] = self._within(seconds, "read", path, read)
        return found

    def _within(self, seconds: float, verb: str, path: str, call: Callable[[Any, str], Any]) -> Any:
        """In a thread of its own: neither a lookup of names nor a disk has a deadline."""
        at = f"{self.url}/{path}"
        results: List[Any] = []
        errors: List[Exception] = []

        def run() -> None:
            try:
                results.append(call(self._opened(), at))
            except Exception as error:  # each file system has errors of its own
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(max(0.0, seconds))
        if errors:
            # Not chained: what a client raises need not survive pickling.
            raise EvidenceUnavailable(f"cannot {verb} {at}: {_said(errors[0])}") from None
        if not results:
            raise EvidenceUnavailable(f"cannot {verb} {at}: no answer in time")
        return results[0]

    def _opened(self) -> Any:
        with self._lock:
            if self._system is None:
                self._system = _file_system(self.url, self._settings)
        return self._system


def _file_system(url: str, settings: Settings) -> Any:
    scheme, options = _options(url, settings)
    import fsspec

    return fsspec.filesystem(scheme, skip_instance_cache=True, **options)


def _options(url: str, settings: Settings) -> Tuple[str, Mapping[str, Any]]:
    """Credentials that are not given are left to the client: it asks the pod's surroundings."""
    scheme = urlsplit(url).scheme
    if scheme == "s3":
        given = {
            "endpoint_url": settings[evidence.ENDPOINT.name],
            "key": settings[evidence.KEY_ID.name],
            "secret": settings[evidence.KEY.name],
            "token": settings[evidence.TOKEN.name],
        }
        options: Dict[str, Any] = {name: value for name, value in given.items() if value}
        return scheme, {**options, "config_kwargs": _S3_LIMITS, "use_listings_cache": False}
    if scheme == "gs":
        key = settings[evidence.GOOGLE.name]
        return scheme, {"token": json.loads(key)} if key else {}
    return scheme, {"auto_mkdir": True}


def _said(error: Exception) -> str:
    words = " ".join(str(error).split())[:300]
    return words if isinstance(error, EvidenceUnavailable) else f"{type(error).__name__}: {words}"
