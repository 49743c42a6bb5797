import json

from expects import be_none, contain, equal, expect, have_keys, start_with
from mamba import before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.instant import Instant, after
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.limits import Limits
from playbooks.deployment.manifests.ledger import ledger
from playbooks.infrastructure.this_pod import SystemClock
from specs.commands.fake_cluster import FakeCluster, a_cluster, run
from specs.deployment.mothers import a_request

WHO = "alice ("
LEDGER = "falco-delete-ledger"
VERBS = ("pause", "resume", "reset")
NOW = Instant.parse("2026-01-02T03:04:05Z")


class WithoutFunctions(FakeCluster):
    """Its Functions may not be read."""

    def get(self, manifests):
        if "Function" in [each["kind"] for each in manifests]:
            raise NotPermitted("you may not")
        return super().get(manifests)


def stored(cluster, name=LEDGER):
    data = cluster.the("ConfigMap", name).get("data") or {}
    return Book(data.get("ledger.json", ""))


def tripped():
    """A book whose namespace shop has had its one action, and wanted another."""
    book, limits = Book(), Limits(1, None, None, None, 600.0)
    for uid in ("a", "b"):
        book.ask(Request(uid, "shop", NOW), limits, NOW)
    return book


with description("The brake of falco-playbook") as self:
    with before.each:
        self.cluster = a_cluster()

    with it("pauses a playbook, and writes down who did, and why"):
        answer = run("pause", "-p", "delete", "--why", "nodes move", cluster=self.cluster)
        paused = stored(self.cluster).paused

        expect(answer.code).to(equal(0))
        expect(answer.out).to(contain("default/falco-delete-ledger: paused by alice"))
        expect(paused["by"]).to(contain(WHO))
        expect(paused["why"]).to(equal("nodes move"))

    with it("resumes it, and says since when it was paused"):
        run("pause", "-p", "delete", cluster=self.cluster)
        answer = run("resume", "-p", "delete", cluster=self.cluster)

        expect(answer.out).to(contain("resumed, paused since 20", WHO))
        expect(stored(self.cluster).paused).to(be_none)

    with it("resumes what is not paused without a write"):
        before = self.cluster.the("ConfigMap", LEDGER)["metadata"].get("resourceVersion")
        answer = run("resume", "-p", "delete", cluster=self.cluster)
        after = self.cluster.the("ConfigMap", LEDGER)["metadata"].get("resourceVersion")

        expect((answer.code, answer.out)).to(equal((0, f"default/{LEDGER}: not paused\n")))
        expect(after).to(equal(before))

    with it("acts again on an object that somebody undid, where it is named, and stays paused"):
        now, book = SystemClock().now(), Book()
        book.leave_alone("a", "pod shop/web-0", "bob", after(now, 60))
        book.leave_alone("b", "node node-1", "bob", after(now, 60))
        book.leave_alone("c", "pod shop/old", "bob", after(now, -60))
        book.pause("bob", now)
        self.cluster.the("ConfigMap", LEDGER)["data"] = {"ledger.json": book.text()}
        words = ("resume", "-p", "delete", "--object")
        said = [
            run(*words, target, cluster=self.cluster).out
            for target in ("pod/shop/web-0", "node/node-2", "pod shop/old", "nodes/node-1")
        ]

        expect(said).to(
            equal(
                [
                    f"default/{LEDGER}: {each}\n"
                    for each in (
                        "acts on pod/shop/web-0 again, which bob undid",
                        "node/node-2 is not left alone: left alone are node node-1",
                        "pod shop/old is not left alone: left alone are node node-1",
                        "acts on nodes/node-1 again, which bob undid",
                    )
                ]
            )
        )
        left = stored(self.cluster)
        expect((list(left.undone), left.paused["by"])).to(equal((["c"], "bob")))

    with it("acts again on one whose name has a space, as names of RBAC may"):
        book = Book()
        book.leave_alone("a", "rolebinding shop/his own", "bob", after(SystemClock().now(), 60))
        for target in ("rolebinding/shop/his own", "rolebinding shop/his own"):
            self.cluster.the("ConfigMap", LEDGER)["data"] = {"ledger.json": book.text()}
            answer = run("resume", "-p", "delete", "--object", target, cluster=self.cluster)

            expect((answer.code, answer.err)).to(equal((0, "")))
            expect(answer.out).to(contain(f"acts on {target} again, which bob undid"))

    with it("refuses an object to act on again that no ledger can have"):
        words = ("resume", "-p", "delete", "--object")
        for target in ("podss/shop/web-0", "pod/web-0", "pod/shop/", "node/shop/node-1", "web-0"):
            answer = run(*words, target, cluster=self.cluster)

            expect((answer.code, answer.out)).to(equal((2, "")))
            expect(answer.err).to(contain(f"--object is {target!r}, expected"))

    with it("repairs a ledger that cannot be read, or was deleted, with reset alone"):
        for broken in ("no json", '{"version": 7}'):
            self.cluster.the("ConfigMap", LEDGER)["data"] = {"ledger.json": broken}
            answers = [run(verb, "-p", "delete", cluster=self.cluster) for verb in VERBS]

            expect([answer.code for answer in answers]).to(equal([1, 1, 0]))
            expect(stored(self.cluster).dropped).to(equal(()))
        self.cluster.delete(self.cluster.the("ConfigMap", LEDGER))
        answers = [run(verb, "-p", "delete", cluster=self.cluster) for verb in VERBS]

        expect([answer.code for answer in answers]).to(equal([1, 1, 0]))
        expect(stored(self.cluster).resets).to(have_keys("*"))

    with it("resets the budget of a namespace alone, and says that it was used up"):
        self.cluster.the("ConfigMap", LEDGER)["data"] = {"ledger.json": tripped().text()}
        answer = run("reset", "-p", "delete", "--budget-of", "shop", cluster=self.cluster)
        book = stored(self.cluster)

        expect(answer.out).to(contain("budget of namespace shop reset (used up: shop)"))
        expect(book.tripped).to(equal({}))
        expect(book.resets["shop"]["by"]).to(contain(WHO))

    with it("says of a namespace whose budget was not used up that others' still are"):
        self.cluster.the("ConfigMap", LEDGER)["data"] = {"ledger.json": tripped().text()}
        answer = run("reset", "-p", "delete", "--budget-of", "shpo", cluster=self.cluster)

        expect(answer.out).to(
            contain("budget of namespace shpo reset (used up: none; still used up: shop)")
        )

    with it("resets all budgets where none is named"):
        self.cluster.the("ConfigMap", LEDGER)["data"] = {"ledger.json": tripped().text()}
        run("reset", "-p", "delete", cluster=self.cluster)
        book = stored(self.cluster)

        expect(book.tripped).to(equal({}))
        expect(sorted(book.resets)).to(equal(["*", "shop"]))

    with it("keeps who paused it first, and why, when it is paused again"):
        run("pause", "-p", "delete", "--why", "nodes move", cluster=self.cluster)
        first = stored(self.cluster).paused
        answer = run("pause", "-p", "delete", "--why", "lunch", cluster=self.cluster)

        expect(answer.code).to(equal(0))
        expect(answer.out).to(contain("already paused, since 20", WHO, "nodes move"))
        expect(stored(self.cluster).paused).to(equal(first))

    with it("pauses every playbook of the namespace with --all, of all namespaces with -A"):
        (other, *_) = ledger(a_request("taint"), "ops")
        self.cluster.create([json.loads(json.dumps(other))])
        some = run("pause", "--all", cluster=self.cluster)
        others = run("pause", "--all", "-n", "ops", cluster=self.cluster)
        run("resume", "--all", "-A", cluster=self.cluster)
        everything = run("pause", "--all", "-A", cluster=self.cluster)

        expect(some.out).to(start_with(f"default/{LEDGER}: paused"))
        expect(some.err).to(contain("only the playbooks of namespace default: -A is"))
        expect(others.out).to(start_with("ops/falco-taint-ledger: paused"))
        expect([len(answer.out.splitlines()) for answer in (some, others, everything)]).to(
            equal([1, 1, 2])
        )
        expect(everything.err).to(equal(""))
        for name in (LEDGER, "falco-taint-ledger"):
            expect(stored(self.cluster, name).paused["by"]).to(contain(WHO))

    with it("writes the ledger that the playbook was given, and none of another namespace"):
        kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "book"}}
        kept["metadata"].update(namespace="default", labels={"falco/ledger": "true"})
        given = a_cluster("-e", "LEDGER=book", also=(kept,))
        answer = run("pause", "-p", "delete", cluster=given)
        elsewhere = a_cluster("-e", "LEDGER=shop/falco-delete-ledger")
        refused = run("pause", "-p", "delete", cluster=elsewhere)

        expect(answer.out).to(start_with("default/book: paused by alice"))
        expect(stored(given, "book").paused["by"]).to(contain(WHO))
        expect(refused.code).to(equal(1))
        expect(refused.err).to(contain("shop/falco-delete-ledger is in another namespace"))

    with it("writes its own ledger where one may not read what it was given"):
        answer = run("pause", "-p", "delete", cluster=a_cluster(kind=WithoutFunctions))

        expect(answer.out).to(start_with(f"default/{LEDGER}: paused by alice"))

    with it("is refused for -A without --all or with -n"):
        expect(run("pause", "-A", "-p", "delete").err).to(contain("-A is allowed with --all only"))
        expect(run("resume", "--all", "-A", "-n", "ops").err).to(contain("not allowed with -n"))

    with it("says why slack cannot be paused, and what to do instead"):
        answer = run("pause", "-p", "slack")

        expect(answer.code).to(equal(2))
        expect(answer.err).to(contain("slack changes nothing", "'deploy_playbook -x -p slack'"))

    with it("says that nothing was written where a ledger is missing"):
        answer = run("pause", "-p", "isolate", cluster=self.cluster)

        expect(answer.code).to(equal(1))
        expect(answer.err).to(contain("there is no ledger default/falco-isolate-ledger"))

    with it("is refused for a playbook together with --all, and without either"):
        expect(run("pause", "--all", "-p", "delete").err).to(contain("neither -p nor -N"))
        expect(run("resume").err).to(contain("no playbook is given"))

    with it("is refused for a budget of what cannot be a namespace"):
        expect(run("reset", "-p", "delete", "--budget-of", "My_shop").err).to(
            contain("'My_shop' cannot be a namespace")
        )
