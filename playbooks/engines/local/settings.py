"""What can be set about the local engine, beside the settings of its playbook."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Tuple

from playbooks.core.errors import InvalidSetting
from playbooks.core.settings import Settings, read
from playbooks.engines import nats_urls
from playbooks.engines.local import CannotStart
from playbooks.engines.nats_urls import Server
from playbooks.engines.worker.settings import NATS


def servers(value: str) -> Tuple[Server, ...]:
    """As the worker reads them; and a URL without a scheme is nats://."""
    urls = [part.strip() for part in value.split(",")]
    return nats_urls.servers(
        ",".join(url if "://" in url or not url else f"nats://{url}" for url in urls)
    )


#: How to connect to a NATS server: as the worker does.
NATS_SETTINGS = tuple(
    replace(setting, kind=servers) if setting.name == "NATS_URL" else setting
    for setting in NATS
    if setting.name.startswith("NATS_")
)


def nats_settings(environ: Mapping[str, str]) -> Settings:
    """Raises CannotStart."""
    try:
        return read(NATS_SETTINGS, environ)
    except InvalidSetting as error:
        raise CannotStart(str(error)) from error
