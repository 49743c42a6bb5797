"""The local engine as a person runs it: in a process of its own, which takes signals."""

import http.client
import socket
from contextlib import suppress
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from specs.support.local_engine import NO_CLUSTER, LocalEngine

RECORDED = Path(__file__).parents[2] / "support" / "alerts" / "falco_alerts.jsonl"
ALERT = RECORDED.read_bytes().splitlines()[25]


with description("./deploy_playbook -E local, where Slack never answers,") as self:
    with before.each:
        self.slack = socket.create_server(("127.0.0.1", 0))
        self.engine = None

    with after.each:
        if self.engine:
            self.engine.__exit__(None, None, None)
        self.slack.close()

    def start(self, *source):
        url = f"http://127.0.0.1:{self.slack.getsockname()[1]}/"
        given = ("-e", f"SLACK_WEBHOOK_URL={url}", "-e", "NO_PROXY=127.0.0.1")
        self.engine = LocalEngine(
            *("-p", "slack", "-t", "falco.>", *given), *source, environ=NO_CLUSTER
        )
        return self.engine

    def interrupt_the_alert(self):
        connection, _ = self.slack.accept()
        with connection:
            self.engine.interrupt()
            self.engine.said("ending after this alert; once more to give it up")
            return self.engine.ended(interrupted=True)

    with it("gives up the alert of a file at the second Ctrl-C"):
        engine = self.start(str(RECORDED))
        code = self.interrupt_the_alert()

        expect(engine.output).to(contain("interrupted", "What the playbook logged"))
        expect(code).to(equal(0))

    with it("reports the one that came by HTTP as given up"):
        engine = self.start("--http", "0")
        address = engine.said("; Ctrl-C ends it").partition("http://")[2].partition("/")[0]
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("POST", "/", ALERT)
        code = self.interrupt_the_alert()
        with suppress(OSError, http.client.HTTPException):
            connection.getresponse()
        connection.close()

        expect(engine.output).to(contain("given up before it answered", "1 alert in", "1 failed"))
        expect(code).to(equal(1))

    with it("ends between two alerts at the first"):
        engine = self.start("--http", "0")
        engine.said("; Ctrl-C ends it")

        expect(engine.ended(interrupted=True)).to(equal(0))
        expect(engine.output).to(contain("interrupted", "0 alerts in"))
