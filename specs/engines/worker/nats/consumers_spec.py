from expects import be_empty, contain, equal, expect, have_key, have_keys, have_len
from mamba import description, it

from playbooks.core.instant import Instant
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats.consumers import Consumer

SINCE = Instant.parse("2026-01-02T03:04:05Z")
WANTED = Consumer("falco-uid-abc", "falco.error.*", SINCE)


def found(**changes):
    return WANTED.configuration().evolve(**changes)


with description("A durable consumer") as self:
    with it("starts at its trigger, has one filter, and is acknowledged one by one"):
        expect(WANTED.configuration().as_dict()).to(
            have_keys(
                deliver_policy="by_start_time",
                opt_start_time="2026-01-02T03:04:05.000000000Z",
                filter_subject="falco.error.*",
                ack_policy="explicit",
                max_deliver=-1,
            )
        )

    with it("goes when nobody asked it anything for a week"):
        week = 7 * 24 * 3600 * 10**9

        expect(WANTED.configuration().as_dict()["inactive_threshold"]).to(equal(week))

    with it("delivers everything where it is the inbox"):
        inbox = Consumer("falco-uid-inbox", "falco-inbox.uid", None).configuration().as_dict()

        expect(inbox["deliver_policy"]).to(equal("all"))
        expect(inbox).not_to(have_key("opt_start_time"))

    with it("keeps the start of one that was found"):
        old = found(deliver_policy="by_start_sequence", opt_start_seq=7, opt_start_time=None)
        asked = WANTED.configuration(old).as_dict()

        expect(asked["opt_start_seq"]).to(equal(7))
        expect(asked).not_to(have_key("opt_start_time"))

    with it("is as it was asked for, wherever it starts"):
        expect(WANTED.differences(found(opt_start_time="2020-01-01T00:00:00Z"))).to(be_empty)

    with it("is not where the server ignored the filter"):
        ignored = found(filter_subject=None)

        expect(WANTED.differences(ignored)[0]).to(contain("filter_subject is None"))

    with it("is not where it pushes, gives up by itself or delivers no bodies"):
        expect(WANTED.differences(found(deliver_subject="x"))).to(have_len(1))
        expect(WANTED.differences(found(max_deliver=3))).to(have_len(1))
        expect(WANTED.differences(found(headers_only=True))).to(have_len(1))

with description("The names of a function on NATS") as self:
    with it("hold its uid, so that one of the same name starts from nothing"):
        one = Function("shop", "falco-delete", "uid-1", SINCE, {})
        other = Function("shop", "falco-delete", "uid-2", SINCE, {})

        expect(one.consumer("falco.>")).not_to(equal(other.consumer("falco.>")))
        expect(one.inbox).not_to(equal(other.inbox))

    with it("can be names of consumers, whatever the topic"):
        name = Function("shop", "falco-delete", "uid-1", SINCE, {}).consumer("falco.*.>")

        expect(set(name) & set(".*> ")).to(be_empty)

    with it("tell topics apart"):
        one = Function("shop", "falco-delete", "uid-1", SINCE, {})

        expect(one.consumer("falco.a.*")).not_to(equal(one.consumer("falco.b.*")))

    with it("are the ones that users know"):
        one = Function("shop", "falco-delete", "uid-1", SINCE, {})

        expect(one.dead_letters).to(equal("falco-dead.falco-delete"))
