"""A server of S3's API of a spec's own (moto's), on a free port of the loopback."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any, Dict

from specs.support.conditions import Condition

S3_SERVER = Condition(all(map(find_spec, ("moto", "s3fs"))), "moto and s3fs are not installed")

BUCKET = "evidence"


class S3Server:
    """Runs while it is entered, with one bucket. ``settings``: those of a playbook that uses it."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer  # takes a second

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.settings: Dict[str, str] = {}

    def __enter__(self) -> S3Server:
        self._server.start()
        _, port = self._server.get_host_and_port()
        self.settings = {
            "EVIDENCE_URL": f"s3://{BUCKET}/prefix",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "spec",
            "AWS_SECRET_ACCESS_KEY": "spec",
        }
        self.client().makedirs(BUCKET, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def client(self) -> Any:
        """A client of the spec's own."""
        import s3fs

        return s3fs.S3FileSystem(
            key="spec",
            secret="spec",
            endpoint_url=self.settings["AWS_ENDPOINT_URL"],
            skip_instance_cache=True,
            use_listings_cache=False,
        )
