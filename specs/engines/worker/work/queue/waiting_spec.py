import asyncio
from dataclasses import replace

from expects import equal, expect
from mamba import description, it

from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.engines.worker.nats.delivery import Delivery, Origin
from playbooks.engines.worker.work.queue.waiting import WaitingAlerts


def a_delivery(size=10):
    origin = Origin("FALCO", 1, Instant(1), 1)
    return Delivery("falco.>", "falco.error.x", b"x" * size, origin, None)


def over(namespace="shop", waits_for="*"):
    return Outcome(
        **{
            **vars(Outcome.skipped("budget-used-up", "30 of 30", held=True, waits_for=waits_for)),
            "target_ref": TargetRef("delete", "Pod", "web", namespace, "uid"),
        }
    )


def taken(waiting, *namespaces, size=10):
    """Whether each got a place, and the places."""
    places = [waiting.place(a_delivery(size)) for _ in namespaces]
    return [place.take(over(name)) for place, name in zip(places, namespaces)], places


with description("Alerts that wait for the window of a limit") as self:
    with it("take half of the free places in a namespace, so that each finds some"):
        waiting = WaitingAlerts(most=8)

        expect(taken(waiting, *"aaaaaa")[0]).to(equal([True] * 4 + [False] * 2))
        expect(taken(waiting, *"bbb")[0]).to(equal([True] * 2 + [False]))
        expect(taken(waiting, "c")[0]).to(equal([True]))

    with it("keep a place once they have it, and give it back"):
        waiting = WaitingAlerts(most=2)
        _, (place, _) = taken(waiting, "a", "a")

        expect(place.take(over("a"))).to(equal(True))
        place.leave()
        place.leave()
        expect(len(waiting)).to(equal(0))
        expect(taken(waiting, "a")[0]).to(equal([True]))

    with it("say at the end for what they waited first, and how long"):
        now = [100.0]
        place = WaitingAlerts(clock=lambda: now[0]).place(a_delivery())
        place.take(over())
        now[0] += 60
        place.take(over(waits_for="shop/a"))
        now[0] += 44.44
        place.leave()
        gone = Outcome.skipped("pod-gone", "gone", node="n1")
        noted = place.noted(replace(gone, why=("gone",)))

        expect(noted.details).to(
            equal({"node": "n1", "waited": 104.4, "waited_for": "budget-used-up"})
        )
        expect(noted.why).to(equal(("waited 1m 44s in this worker: budget-used-up", "gone")))

    with it("say nothing of it where they did not wait"):
        gone = Outcome.skipped("pod-gone", "gone")

        expect(WaitingAlerts().place(a_delivery()).noted(gone)).to(equal(gone))

    with it("take so many bytes at most"):
        waiting = WaitingAlerts(most_bytes=25)

        expect(taken(waiting, *"abc")[0]).to(equal([True, True, False]))

    with it(
        "are asked one after the other where they wait for the same, the first that came first"
    ):
        waiting, order = WaitingAlerts(), []

        async def one(name, namespace, waits_for, delay):
            place = waiting.place(a_delivery())
            outcome = over(namespace, waits_for)
            place.take(outcome)
            await place.wait(outcome, delay)
            order.append(name)
            place.leave()

        async def use():
            await asyncio.gather(
                one("a1", "a", "*", 0.05), one("a2", "a", "*", 0.0), one("b1", "b", "*", 0.0)
            )

        asyncio.run(use())
        expect(order).to(equal(["b1", "a1", "a2"]))

    with it("of Critical do not stand behind others"):
        waiting, order = WaitingAlerts(), []

        async def one(name, waits_for, delay):
            place = waiting.place(a_delivery())
            outcome = over("a", waits_for)
            place.take(outcome)
            await place.wait(outcome, delay)
            order.append(name)
            place.leave()

        async def use():
            await asyncio.gather(one("low", "*", 0.05), one("critical", "*/critical", 0.0))

        asyncio.run(use())
        expect(order).to(equal(["critical", "low"]))

    with it("are asked again after a minute at the latest"):
        waiting = WaitingAlerts(longest=0.01)

        async def use():
            place = waiting.place(a_delivery())
            place.take(over())
            await asyncio.wait_for(place.wait(over(), 3600.0), 5)
            place.leave()

        asyncio.run(use())

    with it("are asked at once when the one before them does not wait any more"):
        waiting, asked = WaitingAlerts(longest=0.3), []

        async def one(name):
            place = waiting.place(a_delivery())
            place.take(over())
            await place.wait(over(), 3600.0)
            asked.append(name)
            place.leave()

        async def use():
            await asyncio.wait_for(asyncio.gather(*map(one, "abcdefgh")), 1)

        asyncio.run(use())
        expect(asked).to(equal(list("abcdefgh")))

    with it("leave nothing behind where they are stopped"):
        waiting = WaitingAlerts()

        async def one():
            place = waiting.place(a_delivery())
            place.take(over())
            try:
                await place.wait(over(), 60.0)
            finally:
                place.leave()

        async def use():
            tasks = [asyncio.ensure_future(one()) for _ in range(3)]
            await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(use())
        expect((len(waiting), len(waiting._turns))).to(equal((0, 0)))
