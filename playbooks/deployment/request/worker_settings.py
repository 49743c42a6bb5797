"""The settings of the worker, as one gives them on deploying: files by their content."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Tuple

from playbooks.core.settings import Setting
from playbooks.engines.worker import settings as worker
from playbooks.engines.worker.settings import optional_file

#: Variables that the worker has from deploy_playbook alone.
ITS_OWN = (
    *(setting.name for setting in worker.SETTINGS if setting not in worker.FOR_USERS),
    "HOME",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
)

TOKEN, RELEASE_KEY = worker.HTTP_TOKEN, worker.RELEASE_KEY


@dataclass(frozen=True)
class FileSetting(Setting):
    """A file that the worker reads. Its variable holds the path, and has no ``_FILE``."""

    @property
    def file_variable(self) -> str:
        return self.name


def is_path(setting: Setting, text: str) -> bool:
    """Whether it names a file that is in the pod already, or none, instead of being the file."""
    return isinstance(setting, FileSetting) and (not text or text.startswith("/"))


def _file(text: str) -> str:
    if text and not text.startswith("/") and "\n" not in text:
        raise ValueError("a file's content (NAME=@FILE), or a path in the pod, which begins with /")
    return text


def _on_deploying(setting: Setting) -> Setting:
    if setting is TOKEN:
        return replace(setting, default="")  # generated where it is not given
    if setting.kind is not optional_file:
        return setting
    return FileSetting(setting.name, _file, setting.default, setting.help, secret=True)


SETTINGS: Tuple[Setting, ...] = tuple(_on_deploying(setting) for setting in worker.FOR_USERS)
