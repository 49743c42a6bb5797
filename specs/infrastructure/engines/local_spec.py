import json
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.infrastructure.this_pod import SystemClock
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.engines.local_engine import NO_CLUSTER, LocalEngine
from specs.support.loopback.nats_server import NATS_SERVER, Nats

RECORDED = Path(__file__).parents[2] / "support" / "alerts" / "falco_alerts.jsonl"
SUBJECT = "falco.warning.read_sensitive_file_untrusted"


def recorded(number):
    """One of the recorded alerts, counted from 1, as if it were of now."""
    alert = json.loads(RECORDED.read_bytes().splitlines()[number - 1])
    return json.dumps({**alert, "time": str(SystemClock().now())}).encode()


with description("The local engine, on a NATS server and a stand-in,") as self:
    with before.each:
        self.nats = Nats(jetstream=False).start()
        self.engine = None

    with after.each:
        if self.engine:
            self.engine.__exit__(None, None, None)
        self.nats.remove()

    def start(self, playbook, *topics, **settings):
        given = [word for topic in topics for word in ("-t", topic)]
        for name, value in {"NATS_URL": self.nats.url, **settings}.items():
            given += ["-e", f"{name}={value}"]
        self.engine = LocalEngine("-p", playbook, *given, environ=NO_CLUSTER)
        self.engine.says("listening on")
        return self.engine

    with it("answers the alerts of its topics, and no others"):
        engine = self.start("delete", "falco.warning.*")
        self.nats.publish((SUBJECT, recorded(26)), ("falco.notice.other", recorded(27)))
        engine.says("deletion accepted of pod default/hellofalco")
        code = engine.ended(interrupted=True)

        expect(engine.log).to(contain("1 alert in", "1 acted", "pod   default/hellofalco", " gone"))
        expect(code).to(equal(0))

    with it("answers twice where two topics match, as Kubeless does"):
        engine = self.start("taint", "falco.warning.*", "falco.>")
        self.nats.publish((SUBJECT, recorded(26)))
        engine.says("has the taint falco/alert=true:NoSchedule already")
        engine.ended(interrupted=True)

        expect(engine.log).to(contain("2 alerts in", "1 acted, 1 skipped"))

    with it("goes on after a message that is no alert"):
        engine = self.start("delete", "falco.>")
        self.nats.publish((SUBJECT, b"nonsense"), (SUBJECT, recorded(26)))
        engine.says("deletion accepted")

        expect(engine.log).to(contain("(no alert)", SUBJECT))
        expect(engine.ended(interrupted=True)).to(equal(0))

    with it("connects again after the server was away"):
        engine = self.start("delete", "falco.>")
        self.nats.stop()
        engine.says("is lost, reconnecting")
        self.nats.start()
        engine.says("again")
        engine.says("connected to")
        self.nats.publish((SUBJECT, recorded(26)))

        expect(engine.says("deletion accepted").log).to(contain("hellofalco"))

    with it("does not show the credentials of the server"):
        with_password = self.nats.url.replace("//", "//user:secret@")
        engine = self.start("delete", "falco.>", NATS_URL=with_password)
        engine.ended(interrupted=True)

        expect(engine.log).not_to(contain("secret"))

    with it("does not start where no server answers"):
        self.nats.stop()
        self.engine = LocalEngine(
            "-p", "delete", "-t", "falco.>", "-e", f"NATS_URL={self.nats.url}", environ=NO_CLUSTER
        )

        expect(self.engine.ended()).to(equal(2))
        expect(self.engine.log).to(contain("did not answer in 5 s"))

    with it("isolates what a message from the wild names"):
        engine = self.start("isolate", "falco.>")
        alert = {**json.loads(recorded(7)), "uuid": "spec"}
        self.nats.publish((SUBJECT, json.dumps(alert).encode()))
        engine.says("detached from ReplicaSet mysql-db-7d59548d75")
        engine.ended(interrupted=True)

        expect(engine.log).to(contain("no ingress and no egress for pod mysql-db"))


not_run_unless(CLUSTER, globals())
not_run_unless(NATS_SERVER, globals())
