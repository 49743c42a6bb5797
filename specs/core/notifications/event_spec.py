import re
from dataclasses import replace

from expects import be_below_or_equal, be_none, contain, equal, expect, have_key
from mamba import description, it

from playbooks.core.errors import ClusterUnavailable, InvalidAlert
from playbooks.core.notifications import kinds
from playbooks.core.notifications.event import code, event
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.testing import NOW

POD = TargetRef("delete", "Pod", "web-0", "shop", "uid-1")
NODE = TargetRef("taint", "Node", "node-1", "", "uid-2")
DONE = Outcome.acted("pod shop/web-0", "deletion-accepted", "deletion accepted of pod shop/web-0")


def made(outcome=DONE, target_ref=POD, **changes):
    given = {
        "playbook": "delete",
        "function": "falco-delete",
        "home": "responders",
        "instance": "falco-delete-6d5f-abcde",
        "rule": "Terminal shell in container",
        "alert_time": "2026-01-02T03:00:00.000000000Z",
        **changes,
    }
    return event(replace(outcome, target_ref=target_ref), NOW, **given)


with description("The Event of an outcome") as self:
    with it("is about the object concerned, in its namespace"):
        expect(made()["metadata"]["namespace"]).to(equal("shop"))
        expect(made()["regarding"]).to(
            equal(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "namespace": "shop",
                    "name": "web-0",
                    "uid": "uid-1",
                }
            )
        )

    with it("is in the namespace default where a node is concerned"):
        about_node = made(Outcome.acted("node node-1", "tainted", "added"), NODE)

        expect(about_node["metadata"]["namespace"]).to(equal("default"))
        expect(about_node["regarding"]).not_to(have_key("namespace"))
        expect(about_node["action"]).to(equal("taint"))

    with it("has nothing in it that speaks to a terminal"):
        found = made(replace(DONE, message="gone\x1b[2J\u202e"), rule="a\x1b[31mrule\n")

        expect(found["note"]).to(equal("a\\x1b[31mrule\\n: gone\\x1b[2J\\u202e"))
        expect(found["metadata"]["annotations"]["falco/rule"]).to(equal("a\\x1b[31mrule\\n"))

    with it("says who wrote it, what was done and why, and never the alert's text"):
        found = made()

        expect(found["reportingController"]).to(equal("falco-playbooks/delete"))
        expect(found["reportingInstance"]).to(
            equal("system:serviceaccount:responders:falco-delete")
        )
        expect((found["type"], found["reason"], found["action"])).to(
            equal(("Normal", "DeletionAccepted", "delete"))
        )
        expect(found["note"]).to(
            equal("Terminal shell in container: deletion accepted of pod shop/web-0")
        )
        expect(found["eventTime"]).to(equal("2026-01-02T03:04:05.000000Z"))

    with it("has labels by which those of a function are found"):
        expect(made()["metadata"]["labels"]).to(
            equal(
                {
                    "falco/playbook": "delete",
                    "falco/function": "falco-delete",
                    "falco/function-namespace": "responders",
                }
            )
        )

    with it("warns of what failed"):
        found = made(Outcome.failed(ClusterUnavailable("away")))

        expect((found["type"], found["reason"])).to(equal(("Warning", "ClusterUnavailable")))

    with it("warns of a budget that has tripped, at the alert that tripped it alone"):
        tripped = {"tripped": "shop", "first": True}
        first = Outcome.skipped("budget-used-up", "tripped", held=True, **tripped)
        next_one = Outcome.skipped("budget-used-up", "tripped", held=True, first=False)

        expect((made(first)["type"], made(first)["reason"])).to(equal(("Warning", "BudgetUsedUp")))
        expect(made(next_one)).to(be_none)

    with it("warns of what comes again and again, at the first that is held for it"):
        told, silent = (
            Outcome.skipped("recurring", "again", "pod a/b", held=True, again=3, first=first)
            for first in (True, False)
        )

        expect(kinds.kind(told)).to(equal("held"))
        expect(kinds.kind(silent)).to(equal(""))

    with it("warns of what waits for the window of a limit, at the first of those that do"):
        told, *others = (
            Outcome.skipped("owner-limit", "1 of 1", "pod a/b", held=True, waits=60.0, first=first)
            for first in (True, False)
        )

        expect((made(told)["type"], made(told)["reason"])).to(equal(("Warning", "OwnerLimit")))
        expect(made(told)["metadata"]["annotations"]["falco/status"]).to(equal("waits"))
        expect(made(others[0])).to(be_none)

    with it("warns of a target that is held for a person"):
        found = made(Outcome.skipped("exempt", "until noon", "pod shop/web-0", held=True))

        expect((found["type"], found["reason"])).to(equal(("Warning", "Exempt")))
        expect(found["metadata"]["annotations"]["falco/status"]).to(equal("held"))

    with it("says would, in a dry run"):
        found = made(Outcome.would_act("pod shop/web-0", "delete", "would delete pod shop/web-0"))

        expect((found["type"], found["reason"])).to(equal(("Normal", "WouldDelete")))
        expect(code(found["reason"])).to(equal("delete"))
        expect(found["metadata"]["annotations"]["falco/status"]).to(equal("would have acted"))

    with it("says what somebody took back"):
        outcome = kinds.undone(replace(NODE, verb="undo"), "removed the taint", "ann")
        found = event(outcome, NOW, playbook="taint", function="", home="ops", instance="laptop")

        expect((found["reason"], found["action"])).to(equal(("Undone", "undo")))
        expect(found["metadata"]["annotations"]).to(
            equal({"falco/status": "undone", "falco/by": "ann", "falco/instance": "laptop"})
        )
        expect(outcome.target).to(equal("node node-1"))

    with it("is none where an alert was skipped, is none, or concerns no object"):
        expect(made(Outcome.skipped("finished", "it has succeeded"))).to(be_none)
        expect(made(Outcome.failed(InvalidAlert("no JSON")))).to(be_none)
        expect(made(target_ref=None)).to(be_none)

    with it("is no longer than the API takes"):
        long = Outcome.acted("pod", "x-" * 100, "\u00e9" * 2000)
        found = made(long, replace(POD, name="a." * 126 + "a"))

        expect(len(found["note"].encode())).to(be_below_or_equal(1024))
        expect(len(found["reason"])).to(be_below_or_equal(128))
        expect(len(found["metadata"]["name"])).to(be_below_or_equal(253))
        expect(found["metadata"]["name"]).not_to(contain(".."))

    with it("has a name that the API takes whatever the object is called, as those of RBAC are"):
        binding = TargetRef("revoke", "RoleBinding", "mine", "shop", "uid-3")
        named = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
        for name in (
            "system:a",
            "A b",
            "x..y",
            ".",
            ":",
            "\u00e9",
            "a-.b",
            f"{'a' * 199}.b",
            "ok.b",
        ):
            found = made(target_ref=replace(binding, name=name))["metadata"]["name"]

            expect(named.fullmatch(found)).not_to(be_none)
            expect(len(found)).to(be_below_or_equal(253))
        expect(found).to(equal(f"ok.b.{NOW.nanoseconds:x}"))
