from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.work.rate import Rate
from playbooks.infrastructure.kubernetes.limits import ApiLimits


class FakeTime:
    def __init__(self):
        self.now = 100.0
        self.slept = 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds


with description("A rate") as self:
    with it("lets a few through at once, and then so many a second"):
        time = FakeTime()
        rate = Rate(1.0, 3.0, time.clock)
        at_once = [rate.take() for _ in range(5)]
        time.now += 1
        later = [rate.take() for _ in range(2)]

        expect(at_once).to(equal([True, True, True, False, False]))
        expect(later).to(equal([True, False]))

with description("The limit of API calls") as self:
    with it("is none until it is set"):
        time = FakeTime()
        limits = ApiLimits(clock=time.clock, sleep=time.sleep)
        for _ in range(1000):
            limits.wait()

        expect(time.slept).to(equal(0.0))

    with it("holds over time, after the calls of one second at once"):
        time = FakeTime()
        limits = ApiLimits(clock=time.clock, sleep=time.sleep)
        limits.set(per_second=50, connections=8)
        for _ in range(550):
            limits.wait()

        expect(round(time.slept)).to(equal(10))

    with it("lets what matters less go when no other call waits, or its time is over"):
        time = FakeTime()
        waits = []
        limits = ApiLimits(clock=time.clock, sleep=waits.append)
        limits.set(per_second=10, connections=1)
        limits.lull(5)
        at_once = list(waits)
        for _ in range(40):
            limits.wait()
        # Threads that wait their turn, of which the last one is in 3 seconds.
        limits._sleep = time.sleep
        limits.lull(5)
        after_the_others = time.slept
        limits.lull(5)
        limits._next += 100
        limits.lull(5)

        expect(at_once).to(equal([]))
        expect(round(after_the_others, 6)).to(equal(3))
        expect(round(time.slept, 6)).to(equal(8))
