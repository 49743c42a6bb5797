import io
import json
from contextlib import redirect_stderr

from expects import be_below, be_false, contain, equal, expect, have_keys, have_len
from mamba import before, description, it

from playbooks.core.instant import Instant
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery, Origin
from playbooks.engines.worker.work.drops import Drops
from playbooks.engines.worker.work.queue.admission import Drop
from playbooks.testing import a_document


def a_delivery(sequence=1, body=None, **changes):
    origin = Origin("FALCO", sequence, Instant(sequence), 1)
    text = json.dumps(a_document(**changes)).encode() if body is None else body
    return Delivery("falco.>", "falco.error.x", text, origin, None)


with description("What a worker drops before it becomes an outcome") as self:
    with before.each:
        self.now = 0.0
        self.metrics = Metrics("delete")
        self.drops = Drops("delete", Redaction(), self.metrics, clock=lambda: self.now)
        self.log = io.StringIO()

    def lines(self):
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def add(self, drop, *deliveries):
        with redirect_stderr(self.log):
            for delivery in deliveries:
                self.drops.add(delivery, drop)

    def counted(self, reason):
        labels = {"playbook": "delete", "reason": reason}
        return self.metrics.registry.get_sample_value("playbook_dropped_total", labels)

    with it("is a line of the log, with the reason, the alert and its pod"):
        fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-1"}
        for drop in Drop:
            self.add(drop, a_delivery(17, output_fields=fields))

        expect([line["reason"] for line in self.lines()]).to(
            equal(["not-wanted", "other-topic", "done"])
        )
        for line in self.lines():
            expect(line).to(
                have_keys(
                    level="info",
                    playbook="delete",
                    event_id="FALCO:17",
                    subject="falco.error.x",
                    target="pod shop/web-1",
                    claimed={"namespace": "shop", "pod": "web-1", "node": "node-1"},
                )
            )
            expect(line["message"]).to(contain("FALCO:17 is dropped: "))
            expect(line["alert"]["rule"]).to(equal("Terminal shell in container"))

    with it("is a line also where it is no alert, and names no pod where the alert names none"):
        self.add(Drop.NOT_WANTED, a_delivery(body=b"nonsense"), a_delivery(output_fields={}))

        expect([(line["alert"] is None, line["target"]) for line in self.lines()]).to(
            equal([(True, ""), (False, "")])
        )

    with it("is a line without the alert where that is long: it is not read in the loop"):
        long = a_delivery(output="x" * 20_000)
        self.add(Drop.NOT_WANTED, long)

        expect([line["alert"] for line in self.lines()]).to(equal([None]))
        expect("alert" in vars(long)).to(be_false)

    with it("leaves no secret in the log"):
        self.add(Drop.NOT_WANTED, a_delivery(rule="curl -H 'Authorization: Bearer abc123secret'"))

        expect(self.log.getvalue()).not_to(contain("abc123secret"))

    with it("does not flood the log: of many, one line says how many"):
        self.add(Drop.NOT_WANTED, *[a_delivery()] * 5_000)
        self.add(Drop.DONE, a_delivery())
        self.now = 60.0
        with redirect_stderr(self.log):
            self.drops.tick()

        expect(self.counted("not-wanted")).to(equal(5_000))
        expect(self.lines()).to(have_len(12))
        expect(self.lines()[-1]).to(have_keys(reason="not-wanted", count=4_990))
        expect(self.lines()[-1]["message"]).to(contain("4990 more were dropped"))

    with it("is said at the latest when the worker ends"):
        self.add(Drop.OTHER_TOPIC, *map(a_delivery, range(30)))
        with redirect_stderr(self.log):
            self.drops.stop()

        expect(self.lines()[-1]["count"]).to(equal(20))

    with it("adds up: each is in a line of its own or in a count, however long it goes on"):
        for self.now in range(0, 600, 5):
            self.add(Drop.NOT_WANTED, *map(a_delivery, range(50)))
        with redirect_stderr(self.log):
            self.drops.stop()

        expect(sum(line.get("count", 1) for line in self.lines())).to(equal(120 * 50))
        expect(len(self.lines())).to(be_below(160))
