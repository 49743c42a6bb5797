from expects import be_empty, contain, equal, expect, have_len
from mamba import description, it

from playbooks.core.instant import Instant
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.topics import Subscription, plan, retired, wanted_since

LABELS = {"created-by": "kubeless", "function": "falco-delete"}
FUNCTION = Function("shop", "falco-delete", "uid-1", Instant.parse("2026-01-01T00:00:00Z"), LABELS)


def a_trigger(topic="falco.error.*", name="t", selector=None, **metadata):
    selector = {"matchLabels": {"function": "falco-delete"}} if selector is None else selector
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-02T00:00:00Z", **metadata},
        "spec": {"topic": topic, "functionSelector": selector},
    }


def written(time, *fields):
    return {"time": time, "fieldsV1": {"f:spec": {field: {} for field in fields}}}


def topics(*triggers):
    return [s.topic for s in plan(triggers, FUNCTION).subscriptions]


def refused(*triggers):
    return plan(triggers, FUNCTION).refused


with description("The plan of subscriptions") as self:
    with it("has the topics of the triggers that select the function"):
        other = a_trigger("falco.debug.*", selector={"matchLabels": {"function": "other"}})

        expect(topics(a_trigger(), other)).to(equal(["falco.error.*"]))

    with it("takes expressions of selectors"):
        selector = {"matchExpressions": [{"key": "function", "operator": "Exists"}]}

        expect(topics(a_trigger(selector=selector))).to(have_len(1))

    with it("has no two subscriptions of one topic, and the older one's start"):
        older = a_trigger(name="older", creationTimestamp="2026-01-01T12:00:00Z")
        found = plan((a_trigger(), older), FUNCTION).subscriptions

        expect(found).to(have_len(1))
        expect(found[0].since).to(equal(Instant.parse("2026-01-01T12:00:00Z")))

    with it("does not count what was stored before the function was created"):
        old = a_trigger(creationTimestamp="2025-01-01T00:00:00Z")

        expect(plan((old,), FUNCTION).subscriptions[0].since).to(equal(FUNCTION.created))

    with it("leaves out triggers that are being deleted"):
        expect(topics(a_trigger(deletionTimestamp="2026-01-03T00:00:00Z"))).to(be_empty)

    with it("refuses an empty selector, and says why"):
        expect(topics(a_trigger(selector={}))).to(be_empty)
        expect(refused(a_trigger(name="wide", selector={"matchLabels": {}}))[0]).to(contain("wide"))
        expect(refused(a_trigger(selector={}))[0]).to(contain("every function"))

    with it("refuses what is no topic of alerts, and says why"):
        expect(refused(a_trigger("kubeless.x"))[0]).to(contain("begin with falco."))
        expect(refused(a_trigger("falco..x"))[0]).to(contain("empty token"))
        expect(refused(a_trigger(None))[0]).to(contain("no topic"))
        expect(refused(a_trigger("falco"))[0]).to(contain("begin with falco."))

    with it("refuses malformed selectors instead of failing"):
        expect(refused(a_trigger(selector={"matchExpressions": [{}]}))[0]).to(contain("malformed"))
        expect(refused(a_trigger(selector="x"))[0]).to(contain("empty"))

    with it("narrows a topic to what lies under falco"):
        expect(topics(a_trigger(">"))).to(equal(["falco.>"]))
        expect(topics(a_trigger("*.error.*"))).to(equal(["falco.error.*"]))

with description("Since when a trigger counts") as self:
    with it("is its creation"):
        expect(wanted_since(a_trigger())).to(equal(Instant.parse("2026-01-02T00:00:00Z")))

    with it("is the edit of its topic where that came later"):
        fields = [written("2026-01-05T00:00:00Z", "f:topic")]

        expect(wanted_since(a_trigger(managedFields=fields))).to(
            equal(Instant.parse("2026-01-05T00:00:00Z"))
        )

    with it("is the edit of its selector where that came last"):
        fields = [
            written("2026-01-05T00:00:00Z", "f:topic"),
            written("2026-01-06T00:00:00Z", "f:functionSelector"),
        ]

        expect(str(wanted_since(a_trigger(managedFields=fields)))).to(contain("2026-01-06"))

    with it("is not moved by edits of anything else"):
        fields = [
            written("2026-01-02T00:00:00Z", "f:topic", "f:functionSelector"),
            {"time": "2026-01-07T00:00:00Z", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
        ]

        expect(str(wanted_since(a_trigger(managedFields=fields)))).to(contain("2026-01-02"))

    with it("is the earliest time at which somebody had set the same topic"):
        fields = [
            written("2026-01-03T00:00:00Z", "f:topic"),
            written("2026-01-08T00:00:00Z", "f:topic"),
        ]

        expect(str(wanted_since(a_trigger(managedFields=fields)))).to(contain("2026-01-03"))

with description("A subscription") as self:
    with it("wants what matches its topic from its start on, until its end"):
        one = Subscription("falco.error.*", Instant(10), Instant(20))

        expect(one.wants("falco.error.x", Instant(10))).to(equal(True))
        expect(one.wants("falco.error.x", Instant(9))).to(equal(False))
        expect(one.wants("falco.error.x", Instant(20))).to(equal(False))
        expect(one.wants("falco.debug.x", Instant(15))).to(equal(False))

    with it("ends when its topic goes, once"):
        ended = retired([Subscription("falco.a.*", Instant(1))], ["falco.b.*"], Instant(5))

        expect(ended).to(equal([Subscription("falco.a.*", Instant(1), Instant(5))]))
        expect(retired(ended, [], Instant(9))).to(equal(ended))
        expect(retired(ended, ["falco.a.*"], Instant(9))).to(be_empty)
