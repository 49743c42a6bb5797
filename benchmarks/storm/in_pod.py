"""``python -m playbooks.engines.worker``, with its service account in the directory SERVICE_ACCOUNT
instead of where a kubelet mounts it: what it takes of a machine is what it takes in its pod."""

import os
import runpy
import sys
from pathlib import Path

from playbooks.infrastructure.kubernetes import connect

# Not in the worker's image; nats-py imports it where it finds it, for websockets.
sys.modules["aiohttp"] = None  # type: ignore[assignment]
connect.SERVICE_ACCOUNT = Path(os.environ["SERVICE_ACCOUNT"])
runpy.run_module("playbooks.engines.worker", run_name="__main__", alter_sys=True)
