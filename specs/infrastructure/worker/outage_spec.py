"""The API server itself is stopped, for everybody: only where it is a process of this machine."""

import time

from expects import be_below, equal, expect
from mamba import after, before, description, it

from specs.support.cluster import api_server
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.worker.storm import API_AWAY, PODS, Storm, expect_all_well


def expect_weathered(storm, worker, away, back):
    """Nothing is answered while the API server is away, and afterwards nothing was lost."""
    storm.publish()
    storm.reaches(0.3)
    begun = time.monotonic()
    away()
    worker.says("the API server is away", 60)
    answered = len(worker.outcomes)
    time.sleep(max(0.0, begun + API_AWAY - time.monotonic()))
    expect(worker.get("/readyz")[0]).to(equal(200))
    expect(len(worker.outcomes)).to(equal(answered))
    expect(answered).to(be_below(PODS))
    back()


with description("A storm of alerts whose API server hangs") as self:
    with before.each:
        self.storm = Storm()
        self.storm.begin()

    with after.each:
        api_server.thaw()
        self.storm.end()

    with it("is weathered, at no delivery's cost"):
        worker = self.storm.start_serving(MAX_DELIVERIES="1")
        expect_weathered(self.storm, worker, api_server.freeze, api_server.thaw)
        self.storm.blows_over(f"the API server hung for {API_AWAY:.0f} s")

        expect_all_well(self.storm)

with description("A storm of alerts whose API server ends, and is started again") as self:
    with before.each:
        self.storm = Storm()
        self.storm.begin()

    with after.each:
        api_server.start()
        self.storm.end()

    with it("is weathered, at no delivery's cost"):
        worker = self.storm.start_serving(MAX_DELIVERIES="1")
        expect_weathered(self.storm, worker, api_server.stop, api_server.start)
        self.storm.blows_over(f"the API server stopped for {API_AWAY:.0f} s")

        self.storm.watched(worker)
        expect_all_well(self.storm)


not_run_unless(program("nats-server"), globals())
not_run_unless(CLUSTER, globals())
not_run_unless(api_server.GIVEN, globals())
if api_server.GIVEN.holds:
    not_run_unless(api_server.HERE, globals())
