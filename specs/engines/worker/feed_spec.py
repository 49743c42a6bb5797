import io
import json
from contextlib import redirect_stderr

from expects import be_none, equal, expect, have_len
from mamba import description, it

from playbooks.core.cluster.manifest import REMOVING
from playbooks.core.errors import ClusterUnavailable, NotFound, NotPermitted
from playbooks.engines.worker.feed import Expired, Feed


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


class ScriptedObjects:
    """Each watch gives one of ``watches``: a list of events, or an error."""

    def __init__(self, *watches, listed=(), function=None):
        self.functions = [function or a_function()]
        self.listed = listed
        self.watches = list(watches)
        self.versions = []
        self.lists = 0

    def function(self):
        found = self.functions.pop(0) if len(self.functions) > 1 else self.functions[0]
        if isinstance(found, Exception):
            raise found
        return found

    def triggers(self):
        self.lists += 1
        return [a_trigger(name) for name in self.listed], "1"

    def watch(self, version, seconds):
        self.versions.append(version)
        events = self.watches.pop(0)
        if isinstance(events, Exception):
            raise events
        yield from events

    def answers(self):
        return True


def followed(objects):
    """What was told until the script ended, and the pauses that were made."""
    told, pauses = [], []
    feed = Feed(objects, lambda *said: told.append(said), sleep=pauses.append)
    turn = feed.turn

    def last_turn():
        if not objects.watches:
            return feed.stop()
        return turn()

    feed.turn = last_turn
    with redirect_stderr(io.StringIO()):
        feed.follow()
    return told, pauses


def logged(objects):
    """Level, reason and what is over, of each line."""
    feed = Feed(objects, lambda *said: None, sleep=lambda seconds: None)
    turn = feed.turn
    feed.turn = lambda: turn() if objects.watches else feed.stop()
    said = io.StringIO()
    with redirect_stderr(said):
        feed.follow()
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    return [(line["level"], line.get("reason") or line.get("over")) for line in lines]


def names(told):
    return [sorted(triggers) for _, triggers in told]


with description("The feed of triggers") as self:
    with it("tells the list, and every change after it"):
        objects = ScriptedObjects([an_event("ADDED", "b"), an_event("DELETED", "a")], listed=["a"])
        told, _ = followed(objects)

        expect(names(told)).to(equal([["a"], ["a", "b"], ["b"]]))

    with it("resumes after the last change, without another list"):
        objects = ScriptedObjects([an_event("ADDED", "b", "7")], [])
        followed(objects)

        expect(objects.versions).to(equal(["1", "7"]))
        expect(objects.lists).to(equal(1))

    with it("resumes after a bookmark, and tells nothing of it"):
        objects = ScriptedObjects([an_event("BOOKMARK", "", "9")], [])
        told, _ = followed(objects)

        expect(objects.versions).to(equal(["1", "9"]))
        expect(told).to(have_len(2))

    with it("lists again when the changes since are no longer there"):
        gone = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
        objects = ScriptedObjects([gone], [], listed=["a"])
        told, pauses = followed(objects)

        expect(objects.lists).to(equal(2))
        expect(pauses).to(equal([]))
        expect(names(told)).to(equal([["a"], ["a"]]))

    with it("tries again, a little later each time, and from where it was"):
        away = ClusterUnavailable("away")
        objects = ScriptedObjects([an_event("ADDED", "a", "5")], away, away, away, away, away, [])
        _, pauses = followed(objects)

        expect(pauses).to(equal([0.2, 0.4, 0.8, 1.6, 2.0]))
        expect(objects.versions[-1]).to(equal("5"))
        expect(objects.lists).to(equal(1))

    with it("says once what it may not read, and when that is over, before a watch has ended"):
        objects = ScriptedObjects([], [])
        objects.functions = [NotPermitted("no"), NotPermitted("no"), a_function()]

        expect(logged(objects)).to(equal([("warning", "not-permitted"), ("info", "not-permitted")]))

    with it("says once that watches fail, and that this is over where one lasted"):
        away = ClusterUnavailable("away")
        objects = ScriptedObjects(away, away, away, [], [])

        expect(logged(objects)).to(
            equal([("warning", "cluster-unavailable"), ("info", "cluster-unavailable")])
        )

    with it("knows whether the Function is removed, also where it is only marked"):

        def is_removed(found):
            objects = ScriptedObjects()
            objects.functions = [found]
            with redirect_stderr(io.StringIO()):
                return Feed(objects, lambda *said: None).is_removed()

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
        objects = ScriptedObjects([], function=NotFound("no Function"))
        told, _ = followed(objects)

        expect(told[0][0]).to(be_none)

    with it("says so when it is being deleted"):
        objects = ScriptedObjects([], function=a_function(deletionTimestamp="2026-01-02T00:00:00Z"))
        told, _ = followed(objects)

        expect(told[0][0]).to(be_none)

    with it("says so when another one has its name"):
        objects = ScriptedObjects([], [])
        objects.functions = [a_function("uid-1"), a_function("uid-2")]
        told, _ = followed(objects)

        expect(told[0][0].uid).to(equal("uid-1"))
        expect(told[1][0]).to(be_none)

    with it("knows an expired version from other errors"):
        expect(Expired("x").retryable).to(equal(False))
