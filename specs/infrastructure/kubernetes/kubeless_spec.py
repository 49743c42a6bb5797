from contextlib import contextmanager

from expects import be_none, equal, expect, have_len
from mamba import description, it

from playbooks.core.cluster.manifest import REMOVING
from playbooks.core.errors import ClusterUnavailable, NotFound, NotPermitted
from playbooks.infrastructure.kubernetes.api import VersionGone
from playbooks.infrastructure.kubernetes.kubeless import KubelessObjects


class Probe:
    """Answers with each status in turn, or raises it."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def status(self, *path):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answers(*statuses):
    objects = KubelessObjects("shop", "falco-delete", probe=Probe(*statuses))
    return [not objects.missing() for _ in statuses]


def a_function(uid="uid-1", **metadata):
    return {
        "metadata": {
            "namespace": "shop",
            "name": "falco-delete",
            "uid": uid,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            **metadata,
        }
    }


def a_trigger(name, version="2"):
    return {"metadata": {"name": name, "resourceVersion": version}, "spec": {}}


def an_event(kind, name, version="2"):
    return {"type": kind, "object": a_trigger(name, version)}


class ScriptedApi:
    """Each watch gives one of ``watches``: a list of events, or an error. Each reading of the
    Function gives one of ``functions``, the last one again and again."""

    def __init__(self, *watches, listed=(), functions=(a_function(),)):
        self.functions = list(functions)
        self.listed = listed
        self.watches = list(watches)
        self.versions = []
        self.lists = 0

    def get(self, *path):
        if path[-1] == "natstriggers":
            self.lists += 1
            items = [a_trigger(name) for name in self.listed]
            return {"items": items, "metadata": {"resourceVersion": "1"}}
        found = self.functions.pop(0) if len(self.functions) > 1 else self.functions[0]
        if isinstance(found, Exception):
            raise found
        return found

    @contextmanager
    def watch(self, *path, seconds, resourceVersion):
        self.versions.append(resourceVersion)
        events = self.watches.pop(0)
        if isinstance(events, Exception):
            raise events
        yield iter(events)


def followed(api):
    """What was told until the script ended, the pauses that were made, and the troubles."""
    told, pauses, troubles = [], [], []
    objects = KubelessObjects("shop", "falco-delete", api=api)
    feed = objects.feed(
        lambda *found: told.append(found), lambda *trouble: troubles.append(trouble)
    )
    turn = feed.turn
    feed.turn = lambda: turn() if api.watches else feed.stop()
    feed._stopped.wait = pauses.append
    feed.follow()
    return told, pauses, troubles


def names(told):
    return [sorted(triggers) for _, triggers in told]


with description("The feed of triggers") as self:
    with it("tells the list, and every change after it"):
        api = ScriptedApi([an_event("ADDED", "b"), an_event("DELETED", "a")], listed=["a"])
        told, _, _ = followed(api)

        expect(names(told)).to(equal([["a"], ["a", "b"], ["b"]]))

    with it("resumes after the last change, without another list"):
        api = ScriptedApi([an_event("ADDED", "b", "7")], [])
        followed(api)

        expect(api.versions).to(equal(["1", "7"]))
        expect(api.lists).to(equal(1))

    with it("resumes after a bookmark, and tells nothing of it"):
        bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}
        api = ScriptedApi([bookmark], [])
        told, _, _ = followed(api)

        expect(api.versions).to(equal(["1", "9"]))
        expect(told).to(have_len(2))

    with it("lists again when the changes since are no longer there"):
        api = ScriptedApi(VersionGone("too old"), [], listed=["a"])
        told, pauses, troubles = followed(api)

        expect(api.lists).to(equal(2))
        expect([pauses, troubles]).to(equal([[], []]))
        expect(names(told)).to(equal([["a"], ["a"]]))

    with it("tries again within 2 seconds, also where it lacks a right"):
        for error in (ClusterUnavailable("away"), NotPermitted("no")):
            api = ScriptedApi([an_event("ADDED", "a", "5")], *[error] * 5, [])
            _, pauses, _ = followed(api)

            expect(pauses).to(equal([0.2, 0.4, 0.8, 1.6, 2.0]))

    with it("says what it may not read, and when that is over, before a watch has ended"):
        forbidden = NotPermitted("no")
        api = ScriptedApi([an_event("ADDED", "a")], functions=[forbidden, forbidden, a_function()])
        _, _, troubles = followed(api)

        expect(troubles).to(equal([("NotPermitted: no", "not-permitted"), ("", "not-permitted")]))

    with it("knows whether the Function is removed, also where it is only marked"):

        def is_removed(found):
            objects = KubelessObjects("shop", "falco-delete", api=ScriptedApi(functions=[found]))
            return objects.feed(lambda *_: None, lambda *_: None).is_removed()

        marked = a_function(annotations={REMOVING: "true"})
        for found in (
            marked,
            NotFound("gone"),
            a_function(deletionTimestamp="2026-01-01T00:00:00Z"),
        ):
            expect(is_removed(found)).to(equal(True))
        for found in (a_function(), ClusterUnavailable("away"), NotPermitted("no")):
            expect(is_removed(found)).to(equal(False))

    with it("says that the Function is gone"):
        told, _, _ = followed(ScriptedApi([], functions=[NotFound("no Function")]))

        expect(told[0][0]).to(be_none)

    with it("says so when it is being deleted"):
        ending = a_function(deletionTimestamp="2026-01-02T00:00:00Z")
        told, _, _ = followed(ScriptedApi([], functions=[ending]))

        expect(told[0][0]).to(be_none)

    with it("says so when another one has its name"):
        api = ScriptedApi([], [], functions=[a_function("uid-1"), a_function("uid-2")])
        told, _, _ = followed(api)

        expect(told[0][0]["metadata"]["uid"]).to(equal("uid-1"))
        expect(told[1][0]).to(be_none)

with description("Whether the API server is there") as self:
    with it("is what it says"):
        expect(answers(200, 500, ClusterUnavailable("no answer"), 200)).to(
            equal([True, False, False, True])
        )

    with it("is taken for granted where it may not tell, and answers"):
        expect(answers(403, 403)).to(equal([True, True]))

    with it("is not, while one that told before refuses to: it is starting"):
        expect(answers(200, 403, 401, 200)).to(equal([True, False, False, True]))
