"""deploy_playbook and falco-playbook as processes, and what they want on a real cluster."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import nats

from specs.engines.worker.rig import ROOT
from specs.support import real_cluster as cluster


def _address():
    """Of a node that has one: those that other specs make up have none."""
    nodes = cluster.kubectl_json("get", "nodes")["items"]
    addresses = [a for node in nodes for a in node.get("status", {}).get("addresses") or ()]
    return next(a["address"] for a in addresses if a["type"] == "InternalIP")


class Reachable:
    """A NATS server at an address of the node that pods reach, while it is entered. ``users``: of
    its configuration, and ``user`` one of them, as ``name:password``."""

    def __init__(self, users="", user=""):
        self.users = users
        self.user = user

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        configuration = Path(self.directory.name) / "nats.conf"
        configuration.write_text(self.users)
        address = _address()
        with socket.socket() as listening:
            listening.bind((address, 0))
            port = listening.getsockname()[1]
        self.url = f"nats://{self.user + '@' if self.user else ''}{address}:{port}"
        words = ["-js", "-sd", self.directory.name, "-a", address, "-p", str(port)]
        words += ["-c", str(configuration)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(["nats-server", *words], **quiet)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.directory.cleanup()

    def publish(self, subject, body):
        async def connect_and_publish():
            client = await nats.connect(self.url)
            await client.publish(subject, body)
            await client.flush()
            await client.close()

        asyncio.run(connect_and_publish())


def program_of(*words):
    """falco-playbook or deploy_playbook as a process of its own."""
    # A Python that has what is needed, which may lie in a virtual environment.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        words,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
    )


def falco_playbook(*words):
    """Its exit code and what it said."""
    done = program_of(sys.executable, "-m", "playbooks.commands", *words)
    return done.returncode, done.stdout + done.stderr
