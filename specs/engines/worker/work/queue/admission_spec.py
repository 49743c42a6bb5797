from expects import be_none, equal, expect
from mamba import description, it

from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.engines.worker.topics import Subscription
from playbooks.engines.worker.work.queue.admission import DoneMessages, Drop, refusal


def at(seconds):
    return Instant(seconds * NANOSECONDS)


ERRORS = Subscription("falco.error.*", at(10))
EVERYTHING = Subscription("falco.>", at(20))


def verdict(topic, subject="falco.error.x", stored=30, subscriptions=(ERRORS, EVERYTHING)):
    return refusal(subscriptions, topic, subject, at(stored))


with description("A message") as self:
    with it("is acted upon where one topic wants it"):
        expect(verdict("falco.>", "falco.debug.x")).to(be_none)

    with it("is one topic's where two want it: the older subscription's"):
        expect(verdict("falco.error.*")).to(be_none)
        expect(verdict("falco.>")).to(equal(Drop.OTHER_TOPIC))

    with it("is the first by name where the subscriptions are equally old"):
        same = (Subscription("falco.error.*", at(10)), Subscription("falco.>", at(10)))

        expect(verdict("falco.error.*", subscriptions=same)).to(equal(Drop.OTHER_TOPIC))
        expect(verdict("falco.>", subscriptions=same)).to(be_none)

    with it("is nobody's that was stored before its trigger"):
        expect(verdict("falco.>", "falco.debug.x", stored=19)).to(equal(Drop.NOT_WANTED))

    with it("is the other's that was stored before the one trigger and after the other"):
        expect(verdict("falco.error.*", stored=15)).to(be_none)
        expect(verdict("falco.>", stored=15)).to(equal(Drop.OTHER_TOPIC))

    with it("is nobody's that the server delivered against its filter"):
        expect(verdict("falco.error.*", "falco.debug.x", subscriptions=(ERRORS,))).to(
            equal(Drop.NOT_WANTED)
        )

    with it("is nobody's where its trigger was deleted since"):
        ended = Subscription("falco.error.*", at(10), at(60))

        expect(verdict("falco.error.*", subscriptions=(ended,))).to(equal(Drop.NOT_WANTED))

    with it("stays its first owner's when that ended, and another topic still wants it"):
        ended = Subscription("falco.error.*", at(10), at(60))

        expect(verdict("falco.error.*", subscriptions=(ended, EVERYTHING))).to(be_none)
        expect(verdict("falco.>", subscriptions=(ended, EVERYTHING))).to(equal(Drop.OTHER_TOPIC))

    with it("is the remaining topic's that was stored after the other ended"):
        ended = Subscription("falco.error.*", at(10), at(15))

        expect(verdict("falco.>", subscriptions=(ended, EVERYTHING))).to(be_none)

    with it("may be either's around the end of one, and is never nobody's"):
        for until in (25, 35):
            ended = Subscription("falco.error.*", at(10), at(until))

            expect(verdict("falco.>", subscriptions=(ended, EVERYTHING))).to(be_none)
            expect(verdict("falco.error.*", subscriptions=(ended, EVERYTHING))).to(be_none)


with description("What a worker has answered") as self:
    with it("is the messages that ended last, and as many as it is told to"):
        done = DoneMessages(2)
        for number in (1, 2, 3):
            done.add(("FALCO", number))

        expect([("FALCO", n) in done for n in (1, 2, 3)]).to(equal([False, True, True]))
