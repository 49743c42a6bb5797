import json
from dataclasses import replace
from unittest.mock import patch

from expects import (
    be_above,
    be_below,
    be_empty,
    be_false,
    be_none,
    be_true,
    contain,
    equal,
    expect,
    have_len,
)
from mamba import before, description, it

from playbooks.core.containment.revocation import LONGEST, REVOKED
from playbooks.core.instant import after
from playbooks.core.ledger import book
from playbooks.core.ledger.book import ALL, CONTAINING, Book, Request
from playbooks.core.ledger.contained import MOST_CONTAINED, MOST_CONTAINED_BYTES, Contained
from playbooks.core.ledger.limits import Limits
from playbooks.testing import NOW

LIMITS = Limits(in_namespace=3, in_all=5, per_owner=0.5, nodes=1, window=600.0)
DEPLOYMENT = {"workload": "Deployment web", "replicas": 4}


with description("The book") as self:
    with before.each:
        self.book = Book()

    def ask(self, uid, seconds=0, limits=LIMITS, **changes):
        """Each time what was written is read again."""
        given = {"namespace": "shop", "alert_time": after(NOW, seconds), **changes}
        answer = self.book.ask(Request(uid=str(uid), **given), limits, after(NOW, seconds))
        self.book = Book(self.book.text())
        return answer

    def reasons(self, *uids, **changes):
        return [self.ask(uid, **changes).reason for uid in uids]

    with it("grants up to the cap of a namespace, and then trips for it alone"):
        expect(self.reasons(1, 2, 3, 4)).to(equal(["", "", "", "budget-used-up"]))
        expect(self.ask(5, namespace="billing").reason).to(equal(""))

    with it("says that it trips once, by which limit, and holds what comes then"):
        self.reasons(1, 2, 3)
        first, second = self.ask(4), self.ask(5)

        expect((first.held, dict(first.facts))).to(
            equal((True, {"tripped": "shop", "first": True}))
        )
        expect((second.held, dict(second.facts))).to(
            equal((True, {"tripped": "shop", "first": False}))
        )
        expect(first.words).to(contain("namespace shop", "3 actions in 10m, MAX_ACTIONS is 3"))
        expect(first.words).to(
            contain("until `falco-playbook reset -p NAME --budget-of shop`, and this alert is held")
        )

    with description("where the same comes again"):
        with before.each:
            self.same = {"rule": "Shell", "maker": "ReplicaSet web-6d5f uid-1"}

        with it("says how often, of the pods of one controller that a rule was acted upon for"):
            answers = [self.ask(n, **self.same, namespace=str(0)) for n in (1, 2, 3)]

            expect([dict(answer.facts) for answer in answers]).to(
                equal([{}, {"again": 1}, {"again": 2}])
            )
            expect(answers[2].remark).to(
                equal(
                    "again: 2 (within 1h this rule was acted upon for 2 other pods of ReplicaSet"
                    " web-6d5f: its replacement has the same hole)"
                )
            )

        with it("counts no other rule, no other controller, and no other namespace"):
            self.ask(1, **self.same)
            others = (
                {"rule": "Other"},
                {"maker": "ReplicaSet web-6d5f uid-2"},
                {"namespace": "billing"},
            )
            for number, other in enumerate(others, 2):
                expect(self.ask(number, **{**self.same, **other}).facts).to(be_empty)

        with it("counts neither the same pod again, nor one whose controller is not proven"):
            self.ask(1, **self.same)

            expect(self.ask(1, **self.same).facts).to(be_empty)
            expect(self.ask(2, rule="Shell").facts).to(be_empty)
            expect(self.ask(3, rule="Shell").facts).to(be_empty)

        with it("remembers a workload of one pod whose next one waited for the window"):
            alone = {**self.same, "workload": "Deployment web", "replicas": 1}
            expect(self.ask(1, **alone).reason).to(equal(""))
            expect(self.ask(2, **alone).reason).to(equal("owner-limit"))
            expect(self.ask(2, seconds=620, **alone).facts).to(equal({"again": 1}))

        with it("counts a pod from when it was acted upon last"):
            for number, seconds in ((1, 0), (2, 10), (1, 3000)):
                self.ask(number, seconds=seconds, **self.same)

            expect(self.ask(3, seconds=3700, **self.same).facts).to(equal({"again": 1}))

        with it("forgets what is over, whatever the order in which it came"):
            for number, seconds in ((1, 3600), (2, 0), (3, 10)):
                self.ask(number, seconds=seconds, **self.same)

            expect(self.ask(4, seconds=7190, **self.same).facts).to(equal({"again": 1}))

        with it("forgets the oldest where there is too much of it"):
            with patch.object(book, "MOST_RECURRING", 2):
                self.ask(1, **self.same)
                self.ask(2, namespace="billing", **self.same)
                self.ask(3, namespace="billing", **self.same)

            expect(self.ask(4, **self.same).facts).to(be_empty)

        with it("forgets it after six windows, and with a reset"):
            self.ask(1, **self.same)
            expect(self.ask(2, seconds=3590, **self.same).facts).to(equal({"again": 1}))
            expect(self.ask(3, seconds=3620, **self.same).facts).to(equal({"again": 1}))
            for place in (ALL, "shop"):
                self.book.reset(place, "alice", after(NOW, 3620))
                expect(self.ask(f"4-{place}", seconds=3630, **self.same).facts).to(be_empty)

        with it("holds it for a person where that is asked for, and tells of it once"):
            limits = replace(LIMITS, again=2)
            answers = [self.ask(n, limits=limits, **self.same) for n in (1, 2, 3, 4)]

            expect([answer.reason for answer in answers]).to(
                equal(["", "", "recurring", "recurring"])
            )
            expect([answer.held for answer in answers[2:]]).to(equal([True, True]))
            expect([dict(answer.facts) for answer in answers[2:]]).to(
                equal([{"again": 2, "first": True}, {"again": 2, "first": False}])
            )
            expect(answers[2].words).to(contain("ESCALATE_AFTER is 2, and this alert is held"))

        with it("lets one pass that a person let go on, and uses up no budget for those it holds"):
            limits = replace(LIMITS, again=1)
            expect([self.ask(n, limits=limits, **self.same).reason for n in range(9)]).to(
                equal(["", *["recurring"] * 8])
            )
            expect(self.ask(9, limits=limits, released=True, **self.same).reason).to(equal(""))
            expect(self.ask(10, limits=limits, rule="Other").reason).to(equal(""))

        with it("leaves out what cannot be read of it"):
            content = {"version": 1, "recurring": {"shop/x": {"uid": "now"}}}

            expect(Book(json.dumps(content)).dropped).to(
                equal(("recurring of shop/x: {'uid': 'now'}",))
            )

    with it("stays tripped, however long"):
        self.reasons(1, 2, 3, 4)

        expect(self.ask(5, seconds=86400).reason).to(equal("budget-used-up"))

    def fill(self, *places, limits=LIMITS, **changes):
        """Each place as often as it is named."""
        for number, place in enumerate(places):
            self.ask(f"{place}-{number}", namespace=place, limits=limits, **changes)

    with it("grants up to the cap in all, and then lets what comes wait, and nothing trips"):
        self.fill(*"aaabbb", urgent=True)
        self.ask("d", namespace="d")
        self.fill("c", "c", urgent=True)
        answer = self.ask("late", namespace="c", urgent=True)

        expect((answer.reason, answer.held)).to(equal(("budget-used-up", True)))
        expect(dict(answer.facts)).to(
            equal({"tripped": ALL, "first": True, "waits_for": f"{ALL}/critical"})
        )
        expect(answer.words).to(contain("5 actions in 10m", "MAX_ACTIONS_ALL is 5"))
        expect(0 < answer.waits <= 610).to(be_true)
        expect(self.book.tripped).to(be_empty)

    with it("lets it pass as soon as it said, and no sooner"):
        self.fill(*"aabbccdd")
        self.fill("a", seconds=100, limits=LIMITS, urgent=True)
        answer = self.ask("b", namespace="b", seconds=200)
        later = {"namespace": "b", "limits": LIMITS}

        expect(answer.reason).to(equal("budget-used-up"))
        expect(self.ask("b", seconds=199 + answer.waits, **later).reason).to(
            equal("budget-used-up")
        )
        expect(self.ask("b", seconds=200 + answer.waits, **later).reason).to(equal(""))

    with it("keeps the first action of every namespace for it, whatever others did"):
        self.fill(*"aaabbbcccdddeeefff", urgent=True)

        expect(self.ask("x", namespace="x").reason).to(equal(""))
        expect(self.ask("y", namespace="y").reason).to(equal(""))
        expect(self.ask("z", namespace="x").reason).to(equal("budget-used-up"))

    with it("keeps a third for Critical and above"):
        six = Limits(None, 6, None, None, 600.0)
        self.fill(*"aaaaa", limits=six)
        answer = self.ask("low", namespace="a", limits=six)

        expect(answer.reason).to(equal("budget-used-up"))
        expect(answer.words).to(contain("MAX_ACTIONS_ALL is 6, and 4 below Critical"))
        found = [self.ask(n, namespace="a", limits=six, urgent=True).reason for n in range(3)]
        expect(found).to(equal(["", "", "budget-used-up"]))

    with it("lets no lower priority use that third by namespaces of its own"):
        six = Limits(None, 6, None, None, 600.0)
        self.fill(*"aaaaa", *map(str, range(50)), limits=six)
        found = [self.ask(n, namespace="a", limits=six, urgent=True).reason for n in range(2)]

        expect(found).to(equal(["", ""]))

    with it("has no part for Critical of a cap of one or two"):
        for most in (1, 2):
            expect(Limits(None, most, None, None, 600.0).shared(urgent=False)).to(equal(most))

    with it("tells once within the window what many wait for"):
        self.fill(*"aabbccdd")
        told = [self.ask(n, namespace="a", seconds=n).facts["first"] for n in (1, 2, 3)]

        expect(told).to(equal([True, False, False]))

    with it("reads what an earlier version wrote, which stopped everything for good"):
        trip = {"at": str(NOW), "limit": "5 actions in 10m, MAX_ACTIONS_ALL is 5"}
        grain = str(NOW.seconds // 10 * 10)
        actions = {grain: {"shop": {"": ["aaaaaaaaaaaa", "bbbbbbbbbbbb"]}}}
        tripped = {ALL: trip, "billing": trip}
        self.book = Book(json.dumps({"version": 1, "tripped": tripped, "actions": actions}))

        expect(self.ask(1).words).to(contain("3 of 3 actions", "2 of 4 that all namespaces share"))
        expect(self.ask(2).facts["tripped"]).to(equal("shop"))
        expect(self.ask(3, namespace="billing").reason).to(equal("budget-used-up"))
        expect(self.ask(3, namespace="web").reason).to(equal(""))

    with it("trips for the namespace where both are used up"):
        both = Limits(1, 1, None, None, 600.0)

        expect(self.ask(1, limits=both).reason).to(equal(""))
        expect(self.ask(2, limits=both).facts["tripped"]).to(equal("shop"))

    with it("counts an action for the window, and at most ten seconds longer"):
        one = Limits(1, None, None, None, 600.0)
        for seconds, reason in ((599, "budget-used-up"), (611, "")):
            self.book = Book()
            self.ask(1, limits=one)

            expect(self.ask(2, seconds=seconds, limits=one).reason).to(equal(reason))

    with it("counts an object once within the window, from when it was last acted upon"):
        one = Limits(1, None, None, None, 600.0)
        self.ask(1, limits=one)
        expect(self.ask(1, seconds=595, limits=one).words).to(equal("counted already within 10m"))
        expect(self.ask(2, seconds=700, limits=one).reason).to(equal("budget-used-up"))

    with it("is not written again for the same object within ten seconds"):
        self.ask(1)
        self.book.ask(Request("1", "shop", NOW), LIMITS, after(NOW, 1))

        expect(self.book.changed).to(be_false)

    with it("counts what is named by nothing each time"):
        one = Limits(1, None, None, None, 600.0)

        expect([self.ask("", limits=one).reason for _ in range(2)]).to(
            equal(["", "budget-used-up"])
        )

    with it("lets a share of a workload's pods go, and no other workload pay for it"):
        expect(self.reasons(1, 2, 3, **DEPLOYMENT)).to(equal(["", "", "owner-limit"]))
        expect(self.ask(4).reason).to(equal(""))

    with it("lets what is over the share wait, and says so once, and why"):
        self.reasons(1, 2, **DEPLOYMENT)
        first, second = self.ask(3, seconds=60, **DEPLOYMENT), self.ask(4, seconds=60, **DEPLOYMENT)

        expect((first.held, first.facts["first"], second.facts["first"])).to(
            equal((True, True, False))
        )
        expect(first.words).to(contain("at most 2: its replacement may have the same hole"))
        expect(self.ask(3, seconds=59 + first.waits, **DEPLOYMENT).reason).to(equal("owner-limit"))
        expect(self.ask(3, seconds=61 + first.waits, **DEPLOYMENT).reason).to(equal(""))

    with it("lets the same hole of the only replica be used again once the window is over"):
        only = {"workload": "Deployment web", "replicas": 1}
        seconds, acted = 0.0, 0
        for uid in range(3):
            answer = self.ask(uid, seconds=seconds, **only)
            seconds += answer.waits or 0
            acted += not self.ask(uid, seconds=seconds, **only).reason

        expect((acted, seconds < 3 * 620)).to(equal((3, True)))

    with it("always lets one of a workload go"):
        for replicas in (0, 1, None):
            self.book = Book()
            found = self.reasons(1, 2, workload="Job x", replicas=replicas)

            expect(found).to(equal(["", "owner-limit"]))

    with it("reckons shares to the full"):
        wide = Limits(None, None, 0.29, None, 600.0)
        found = self.reasons(*range(30), limits=wide, workload="Deployment web", replicas=100)

        expect(found.count("")).to(equal(29))

    with it("counts workloads of one name in two namespaces apart"):
        self.reasons(1, 2, **DEPLOYMENT)

        expect(self.ask(3, namespace="billing", **DEPLOYMENT).reason).to(equal(""))

    with it("lets a node be contained while fewer than the limit are, or are about to be"):
        expect(self.ask("a", node="a", spare=("b", "c")).reason).to(equal(""))
        expect(self.ask("b", node="b", spare=("a", "c")).reason).to(equal("node-limit"))
        later = {"seconds": CONTAINING}
        expect(self.ask("b", node="b", spare=("c",), contained=("a",), **later).reason).to(
            equal("node-limit")
        )
        expect(self.ask("b", node="b", spare=("a", "c"), **later).reason).to(equal(""))

    with it("holds a node that was counted before to the limit all the same"):
        self.ask("a", node="a")
        self.ask("b", node="b", seconds=CONTAINING)

        expect(self.ask("a", node="a", seconds=CONTAINING + 1).reason).to(equal("node-limit"))

    with it("leaves a node that takes pods, also where there is no limit"):
        off = Limits(None, None, None, None, 600.0)
        self.ask("a", node="a", spare=("b",), limits=off)

        expect(self.ask("b", node="b", spare=("a",), limits=off).reason).to(equal("last-node"))

    with it("holds everything while it is paused"):
        self.book.pause("ada", NOW, "release day")
        answer = self.ask(1, released=True)

        expect((answer.reason, answer.held)).to(equal(("paused", True)))
        expect(answer.words).to(equal(f"paused by ada at {NOW}: release day"))

        self.book.resume()
        expect(self.ask(1).reason).to(equal(""))

    with it("begins anew for a namespace that is reset, but not in all"):
        self.reasons(1, 2, 3, 4)
        self.book.reset("shop", "ada", NOW)

        expect(self.reasons(5, 6)).to(equal(["", ""]))
        expect(self.ask(7).facts["tripped"]).to(equal(ALL))
        expect(self.ask(7).waits is None).to(be_false)

    with it("begins anew everywhere where all is reset"):
        self.reasons(1, 2, 3, 4)
        self.reasons(5, 6, namespace="billing")
        self.ask(7, namespace="web")
        self.book.reset(ALL, "ada", NOW)

        expect(self.reasons(8, 9, 10)).to(equal(["", "", ""]))
        expect(self.ask(11, namespace="billing").reason).to(equal(""))

    with it("holds alerts from before a reset, unless a person releases them"):
        for place in ("shop", ALL):
            self.book = Book()
            self.book.reset(place, "ada", after(NOW, 10))
            answer = self.ask(1, seconds=11, alert_time=NOW)

            expect((answer.reason, answer.held)).to(equal(("before-reset", True)))
            expect(self.ask(1, seconds=11, alert_time=NOW, released=True).reason).to(equal(""))
        expect(self.ask(2, seconds=11).reason).to(equal(""))

    with it("leaves alone what somebody undid, until it is time, or a person releases it"):
        self.book.leave_alone("1", "isolation", "ada", after(NOW, 1800))
        answer = self.ask(1, seconds=1799)

        expect((answer.reason, answer.held)).to(equal(("undone", False)))
        expect(self.ask(1, seconds=1799, released=True).reason).to(equal(""))
        expect(self.ask(2, seconds=1799).reason).to(equal(""))
        expect(self.ask(1, seconds=1800).reason).to(equal(""))

    with it("acts again on what somebody undid, where a person wants that"):
        self.book.leave_alone("1", "pod shop/web-1", "ada", after(NOW, 1800))
        self.book.leave_alone("2", "pod shop/web-2", "ada", after(NOW, 1800))
        self.book = Book(self.book.text())
        self.book.act_again(["1", "3"])

        expect(self.book.changed).to(be_true)
        expect(self.ask(1).reason).to(equal(""))
        expect(self.ask(2).reason).to(equal("undone"))

    with it("stays far below the megabyte that an object of the cluster may have"):
        most = Limits(5000, 5000, 1.0, None, 86400.0)
        for number in range(300):
            name = f"{number:03}" + "x" * 60
            self.book.ask(
                Request(f"uid-{number}", name, NOW, f"Deployment {'y' * 250}", 1),
                most,
                after(NOW, 20 * number),
            )

        expect(len(self.book.text()) / 300 * 5000).to(be_below(800_000))

    with it("forgets what is over"):
        self.ask("a", node="a", spare=("b",))
        self.book.leave_alone("x", "taint", "ada", after(NOW, 60))
        self.book.reset("old", "ada", NOW)
        self.ask("b", seconds=31 * 86400, node="b", namespace="other")
        found = json.loads(self.book.text())

        expect(found["actions"]).to(have_len(1))
        expect(list(found["tainting"])).to(equal(["b"]))
        expect(found.get("undone")).to(be_none)
        expect(found.get("resets")).to(be_none)


with description("What a book says of contained objects") as self:

    def a_record(self, uid="uid-1", **notes):
        return Contained(uid, "pod", "shop", f"web-{uid}", notes or {"falco/until": "then"})

    with it("is there when it is read again, and in no book of an earlier version"):
        book = Book()
        book.contain(self.a_record())

        expect(Book(book.text()).contained).to(equal({"uid-1": self.a_record()}))
        expect(Book('{"version": 1, "undone": {}}').contained).to(equal({}))

    with it("is every note of an object, whoever wrote it, until it is released"):
        book = Book()
        book.contain(self.a_record(a="1"))
        book.contain(self.a_record(b="2"))
        expect(book.contained["uid-1"].notes).to(equal({"a": "1", "b": "2"}))

        book.release("uid-1", ["a"])
        expect(book.contained["uid-1"].notes).to(equal({"b": "2"}))
        book.release("uid-1", ["b"])
        expect(book.contained).to(equal({}))

    with it("is read of so many objects only, whoever wrote the ledger"):
        one = self.a_record("a").to_dict()
        many = {str(number): one for number in range(MOST_CONTAINED + 2)}
        book = Book(json.dumps({**json.loads(Book().text()), "contained": many}))

        expect(len(book.contained)).to(equal(MOST_CONTAINED))
        expect([uid in book.contained for uid in ("1", "2")]).to(equal([False, True]))
        expect(book.dropped).to(contain("contained, but for the last of them: '302 entries'"))

    with it("is of so many objects only, those that were written last"):
        book = Book()
        for number in range(MOST_CONTAINED + 1):
            book.contain(self.a_record(str(number)))
        book.contain(self.a_record("1"))
        book.contain(self.a_record("new"))

        expect(len(book.contained)).to(equal(MOST_CONTAINED))
        expect([uid in book.contained for uid in ("0", "1", "2", "new")]).to(
            equal([False, True, False, True])
        )

    with it("is of so many bytes only: what others wrote on an object may be long"):
        book = Book()
        long = json.dumps({f"label-{number}": '"' * 60 for number in range(30)})
        for number in range(MOST_CONTAINED):
            book.contain(self.a_record(str(number), labels=long))

        expect(len(book.text())).to(be_below(MOST_CONTAINED_BYTES + 100))
        expect(list(book.contained)[-1]).to(equal(str(MOST_CONTAINED - 1)))
        expect(len(book.contained)).to(be_above(10))

    with it("is of as many objects that were revoked, each as large as one may be"):
        book = Book()
        for number in range(MOST_CONTAINED):
            book.contain(self.a_record(str(number), **{REVOKED: "x" * LONGEST}))

        expect(len(book.contained)).to(equal(MOST_CONTAINED))

    with it("is of the last object, however much stands on it"):
        book = Book()
        book.contain(self.a_record("first"))
        book.contain(self.a_record("long", labels="x" * MOST_CONTAINED_BYTES))

        expect(list(book.contained)).to(equal(["long"]))

    with it("costs itself alone where it cannot be read"):
        book = Book()
        book.contain(self.a_record())
        for bad in (None, [], {}, {"kind": "pod", "name": "a", "notes": {"a": 1}}, {"kind": 1}):
            content = json.loads(book.text())
            content["contained"]["bad"] = bad
            found = Book(json.dumps(content))

            expect(list(found.contained)).to(equal(["uid-1"]))
            expect(found.dropped).to(have_len(1))

    with it("is not written where nothing is forgotten"):
        book = Book()
        book.release("uid-1", ["a"])

        expect(book.changed).to(equal(False))
