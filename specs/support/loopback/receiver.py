"""A program on the loopback that takes what is posted to it, over real HTTP."""

from __future__ import annotations

from specs.support.loopback.server import Answer, LoopbackServer


class Receiver(LoopbackServer):
    """Answers 204. ``url``: its hook, whose path is a secret; ``address``: host and port."""

    def __init__(self, *refusals: Answer) -> None:
        super().__init__(answer=lambda _: Answer(204, b""))
        self.refusals.extend(refusals)
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}/hooks/s3cret-path"
