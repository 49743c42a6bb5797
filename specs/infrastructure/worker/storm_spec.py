import signal
import time

from expects import be_above, be_empty, equal, expect, have_len
from mamba import after, before, description, it

from specs.support.cluster.engines import WORKER_IMAGE
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.worker.deployed_storm import DeployedStorm
from specs.support.worker.storm import API_AWAY, PODS, Storm, expect_all_well

with description("A storm of alerts, a pod each, among decoys") as self:
    with before.each:
        self.storm = Storm()
        self.storm.begin()

    with after.each:
        self.storm.end()

    with it("is weathered by a worker that is killed with -9, three times"):
        storm = self.storm
        storm.start_serving()
        storm.publish()
        for part in (0.15, 0.4, 0.65):
            storm.reaches(part)
            storm.workers[-1].kill()
            storm.start()
        storm.blows_over("killed three times")

        # They did not die idle.
        expect(storm.delivered_again()).not_to(be_empty)
        expect(storm.workers[-1].outcomes).not_to(be_empty)
        expect_all_well(storm)

    with it("is weathered through restarts of NATS, in order and with -9"):
        storm = self.storm
        worker = storm.start_serving()
        storm.publish()
        for part, number in ((0.2, signal.SIGTERM), (0.5, signal.SIGKILL)):
            storm.reaches(part)
            storm.nats.stop(number)
            expect(storm.left()).not_to(be_empty)
            time.sleep(2)
            storm.nats.start()
        storm.blows_over("NATS restarted twice")

        expect(worker.process.poll()).to(equal(None))
        expect(storm.stored).to(equal(len(storm.named) + len(storm.misled)))
        expect_all_well(storm)

    with it("is weathered while the API server is away, at no delivery's cost"):
        storm = self.storm
        worker = storm.start_serving(MAX_DELIVERIES="1")
        storm.publish()
        storm.reaches(0.3)
        storm.proxy.cut()
        worker.says("the API server is away")
        there = storm.settled()
        answered = len(worker.outcomes)
        time.sleep(API_AWAY)
        expect(worker.get("/readyz")[0]).to(equal(200))
        expect(len(worker.outcomes)).to(equal(answered))
        expect(storm.left()).to(have_len(there))
        expect(there).to(be_above(0))
        storm.proxy.restore()
        storm.blows_over(f"the API server away for {API_AWAY:.0f} s")

        storm.watched(worker)
        expect_all_well(storm)

    with it("is shared by two replicas, which act once on each alert"):
        storm = self.storm
        one, two = storm.start_serving(), storm.start_serving()
        storm.publish()
        storm.blows_over("two replicas")

        expect(sorted(storm.acted())).to(equal(sorted(storm.named)))
        expect(len(storm.acted(one))).to(be_above(PODS // 10))
        expect(len(storm.acted(two))).to(be_above(PODS // 10))
        expect_all_well(storm)

    with it("is weathered through two rollouts, in which each alert is acted upon once"):
        storm = self.storm
        # Slow enough that there is something left for the last one.
        slow = {"MAX_API_QPS": "25"}
        storm.start_serving(**slow)
        storm.publish()
        for part in (0.1, 0.3):
            storm.reaches(part)
            old = storm.workers[-1]
            storm.start_serving(**slow)
            expect(old.end()).to(equal(0))
        storm.blows_over("rolled out twice")

        expect(sorted(storm.acted())).to(equal(sorted(storm.named)))
        expect(storm.workers[-1].outcomes).not_to(be_empty)
        expect_all_well(storm)


with description("A storm of alerts upon a worker that was deployed") as self:
    with before.each:
        self.storm = DeployedStorm()
        self.storm.begin()

    with after.each:
        self.storm.end()

    with it("is weathered through two rollouts, in which each alert is acted upon once"):
        storm = self.storm
        storm.publish()
        for part, rate in ((0.1, "4"), (0.3, "5")):
            storm.reaches(part)
            storm.deploy(MAX_API_QPS=rate)
            expect(storm.left()).not_to(be_empty)
        storm.blows_over("the worker's Deployment rolled out twice")
        shares = [lines for lines in storm.by_pod().values() if lines]

        expect(shares).to(have_len(6))
        expect(sorted(storm.acted())).to(equal(sorted(storm.named)))
        expect_all_well(storm)


not_run_unless(WORKER_IMAGE, globals(), title="was deployed")
not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
