"""How objects of the API are followed. Runs without a cluster."""

from contextlib import contextmanager

from expects import be_empty, equal, expect
from mamba import description, it

from playbooks.core.errors import ClusterUnavailable, NotPermitted, PlaybookError
from playbooks.infrastructure.kubernetes.api import VersionGone
from playbooks.infrastructure.kubernetes.list_watch import BEHIND, ListWatch

AWAY, GONE, FORBIDDEN = ClusterUnavailable("away"), VersionGone("gone"), NotPermitted("no")


class Scripted(ListWatch):
    """Each watch gives one of ``watches``: an error where it does not begin, or a list of versions
    and of errors that end it. Lists fail with ``failures`` first. ``journal``: all that happened,
    but for pauses."""

    def __init__(self, *watches, failures=()):
        super().__init__("things", lambda said, reason: self.journal.append((said, reason)))
        self.watches = list(watches)
        self.failures = list(failures)
        self.journal, self.pauses = [], []
        self._clock = lambda: sum(self.pauses)
        self._stopped.wait = self.pauses.append

    def turn(self):
        return super().turn() if self.watches else self.stop()

    def _list(self):
        self.journal.append("list")
        if self.failures:
            raise self.failures.pop(0)
        return "1"

    @contextmanager
    def _watch(self, version):
        changes = self.watches.pop(0)
        if isinstance(changes, Exception):
            raise changes
        self.journal.append(f"watch from {version}")
        yield iter(changes)

    def _take(self, change):
        if isinstance(change, Exception):
            raise change
        self.journal.append(f"take {change}")
        return change


def followed(*watches, failures=()):
    follower = Scripted(*watches, failures=failures)
    follower.follow()
    return follower


def said(follower):
    """The troubles, and that they are over."""
    return [each for each in follower.journal if isinstance(each, tuple)]


with description("What follows objects") as self:
    with it("lists them, and watches from there"):
        expect(followed(["2"]).journal).to(equal(["list", "watch from 1", "take 2"]))

    with it("goes on after the last change, without another list"):
        expect(followed(["7"], []).journal[2:]).to(equal(["take 7", "watch from 7"]))

    with it("lists anew where changes are no longer there, at once, and that is no trouble"):
        for gone in (GONE, [GONE]):
            follower = followed(["7"], gone, [])

            expect(follower.journal[-2:]).to(equal(["list", "watch from 1"]))
            expect([follower.pauses, said(follower)]).to(equal([[], []]))

    with it("lists anew after an error that does not pass"):
        follower = followed(["7", PlaybookError("the watch ended")], [])

        expect(follower.journal[4:6]).to(equal(["list", "watch from 1"]))
        expect(follower.pauses).to(equal([0.2]))

    with it("tries again, a little later each time, and from where it was"):
        follower = followed(["5"], *[AWAY] * 8, [], AWAY, [])

        expect(follower.pauses).to(equal([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 0.2]))
        expect(follower.journal.count("list")).to(equal(1))
        expect(follower.journal[-2:]).to(equal(["watch from 5", ("", AWAY.reason)]))

    with it("lists anew where nothing came for long: its version may be none of this server's"):
        follower = followed(["5"], *[AWAY] * 13, [])

        expect(sum(follower.pauses[:-1]) > BEHIND * 0.9).to(equal(True))
        expect(follower.journal[-3:]).to(equal(["list", "watch from 1", ("", AWAY.reason)]))

    with it("waits for a right that it lacks"):
        expect(followed(FORBIDDEN, [], failures=[FORBIDDEN]).pauses).to(equal([60.0, 60.0]))

    with it("says once what is in the way, and that it is over as soon as a watch has begun"):
        follower = followed(AWAY, AWAY, ["2"], failures=[FORBIDDEN, FORBIDDEN, AWAY])

        expect(said(follower)).to(
            equal(
                [
                    ("NotPermitted: no", FORBIDDEN.reason),
                    ("ClusterUnavailable: away", AWAY.reason),
                    ("", AWAY.reason),
                ]
            )
        )
        expect(follower.journal[-3:]).to(equal(["watch from 1", ("", AWAY.reason), "take 2"]))

    with it("says of watches that break that this is over only once one lasted"):
        follower = followed(["2", AWAY], ["3", AWAY], ["4", AWAY], ["5"], [])

        expect(said(follower)).to(
            equal([("ClusterUnavailable: away", AWAY.reason), ("", AWAY.reason)])
        )
        expect(follower.journal[-3:]).to(equal(["take 5", ("", AWAY.reason), "watch from 5"]))

    with it("goes on after an error that nobody expected"):
        follower = followed(["2", KeyError("name")], [])

        expect(said(follower)).to(equal([("KeyError: 'name'", ""), ("", "")]))

    with it("takes nothing and says nothing once it is stopped"):
        follower = Scripted(["2", "3", AWAY])
        take = follower._take

        def last(change):
            follower.stop()
            return take(change)

        follower._take = last
        follower.follow()

        expect(follower.journal[2:]).to(equal(["take 2"]))
        expect(follower.pauses).to(be_empty)
