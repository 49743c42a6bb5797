import os
import time

from expects import be_below, contain, equal, expect, have_len
from mamba import after, description, it

from specs.engines.worker.flood import Flood, about
from specs.engines.worker.rig import moment
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually

# The whole attack is one of 30,000.
FLOOD = int(os.environ.get("WORKER_FLOOD", "5000"))

# Seconds that as many decisions would take, at 50 reads a second: benchmarks/flood.py has what they
# take on an idle machine.
ONE_BY_ONE = FLOOD / 50


with description("A flood of alerts about one pod") as self:
    with after.each:
        self.flood.remove()

    with it("delays the alert of another namespace by a fifth of as many decisions at most"):
        flood = self.flood = Flood(MAX_PER_OWNER="off")
        flood.publish(*[about("shop", "loud", number) for number in range(50)])
        eventually(flood.nats.settled)
        flood.publish(*[about("shop", "loud", number) for number in range(FLOOD)])
        published = time.time()
        flood.publish(about("bank", "quiet"))
        eventually(lambda: "quiet" in flood.actions(), 60)
        delay = float(flood.actions()["quiet"]) - published
        print(f" {FLOOD} alerts delay another's by {delay:.2f} s ", end="")

        expect(delay).to(be_below(ONE_BY_ONE / 5))
        eventually(flood.nats.settled, 60)
        expect(flood.outcomes()).to(equal(FLOOD + 50 + 1))
        expect(flood.worker.log).to(contain('"answered_along"'))

    with it("that are held is one dead letter, with their number"):
        flood = self.flood = Flood(MAX_ALERT_AGE="1s")
        old = about("shop", "loud").replace(moment()[:17].encode(), b"2026-01-02T03:04:")
        flood.publish(*[old] * 300)
        eventually(flood.nats.settled, 60)
        eventually(lambda: len(flood.nats.messages("FALCO_DEAD")) == 1)
        (letter,) = flood.nats.messages("FALCO_DEAD")

        expect(letter["headers"]["Falco-Reason"]).to(equal("stale-alert"))
        expect(letter["headers"]["Falco-Count"]).to(equal("300"))
        expect(flood.rig.actions).to(have_len(0))


not_run_unless(CLUSTER, globals())
