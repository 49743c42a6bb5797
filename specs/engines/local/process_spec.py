"""The local engine as a person runs it: in a process of its own, which takes signals."""

import http.client
import socket
from contextlib import suppress
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from specs.support.engines.local_engine import NO_CLUSTER, LocalEngine

RECORDED = Path(__file__).parents[2] / "support" / "alerts" / "falco_alerts.jsonl"
ALERT = RECORDED.read_bytes().splitlines()[25]


def started(*source):
    """A Slack that accepts and says nothing, and the engine that asks it."""
    slack = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{slack.getsockname()[1]}/"
    given = ("-e", f"SLACK_WEBHOOK_URL={url}", "-e", "NO_PROXY=127.0.0.1")
    words = ("-p", "slack", "-t", "falco.>", *given, *source)
    return slack, LocalEngine(*words, environ=NO_CLUSTER)


with description("./deploy_playbook -E local, where Slack never answers,") as self:
    with before.all:
        self.files, self.served, self.idle = (
            started(*source) for source in ((str(RECORDED),), ("--http", "0"), ("--http", "0"))
        )

    with after.all:
        for slack, engine in (self.files, self.served, self.idle):
            engine.__exit__(None, None, None)
            slack.close()

    def interrupt_the_alert(self, slack, engine):
        connection, _ = slack.accept()
        with connection:
            engine.interrupt()
            engine.says("ending after this alert; once more to give it up")
            return engine.ended(interrupted=True)

    with it("gives up the alert of a file at the second Ctrl-C"):
        slack, engine = self.files
        code = self.interrupt_the_alert(slack, engine)

        expect(engine.log).to(contain("interrupted", "What the playbook logged"))
        expect(code).to(equal(0))

    with it("reports the one that came by HTTP as given up"):
        slack, engine = self.served
        address = engine.says("; Ctrl-C ends it").log.partition("http://")[2].partition("/")[0]
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("POST", "/", ALERT)
        code = self.interrupt_the_alert(slack, engine)
        with suppress(OSError, http.client.HTTPException):
            connection.getresponse()
        connection.close()

        expect(engine.log).to(contain("interrupted before it answered", "1 alert in", "1 failed"))
        expect(code).to(equal(1))

    with it("ends between two alerts at the first"):
        _, engine = self.idle
        engine.says("; Ctrl-C ends it")

        expect(engine.ended(interrupted=True)).to(equal(0))
        expect(engine.log).to(contain("interrupted", "0 alerts in"))
