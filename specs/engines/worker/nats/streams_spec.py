from expects import be_a, contain, equal, expect
from mamba import description, it
from nats.js.api import StreamConfig, StreamInfo, StreamState, SubjectTransform

from playbooks.engines.worker.nats.streams import (
    CreateStream,
    Refuse,
    Stream,
    Use,
    choose,
    covers,
    overlaps,
    refuses,
    unbounded,
)

WANTED = "falco.>"


def info(name="FALCO", size=0, used=0, discard="old"):
    config = StreamConfig(name=name, subjects=[WANTED], max_bytes=size, discard=discard)
    return StreamInfo(config, StreamState(100, used, 1, 1, 0))


def chosen(*streams):
    return choose([Stream(*stream) for stream in streams], WANTED)


with description("The stream of alerts") as self:
    with it("is created where none has any of the subjects"):
        expect(chosen()).to(equal(CreateStream()))
        expect(chosen(("OTHER", ("orders.>", "falcon.>"), "limits"))).to(equal(CreateStream()))

    with it("is the one that covers them, whatever else it has"):
        expect(chosen(("A", ("orders.>",), "limits"), ("B", ("x", "falco.>"), "limits"))).to(
            equal(Use("B"))
        )
        expect(chosen(("ALL", (">",), "limits"))).to(equal(Use("ALL")))
        expect(chosen(("ALL", ("*.>",), "limits"))).to(equal(Use("ALL")))

    with it("is refused where acknowledging would delete other people's messages"):
        found = chosen(("JOBS", ("falco.>",), "workqueue"))

        expect(found).to(be_a(Refuse))
        expect(found.why).to(contain("JOBS"))
        expect(found.why).to(contain("workqueue"))
        expect(found.why).to(contain("limits"))

    with it("is refused where one has a part of the subjects, with what to do"):
        found = chosen(("ERRORS", ("falco.error.*",), "limits"))

        expect(found.why).to(contain("stream ERRORS has falco.error.*"))
        expect(found.why).to(contain("nats stream edit ERRORS"))

    with it("names all of them that have a part"):
        found = chosen(("A", ("falco.error.*",), "limits"), ("B", ("*.debug.x",), "limits"))

        expect(found.why).to(contain("stream A"))
        expect(found.why).to(contain("stream B"))

with description("A pattern of subjects") as self:
    with it("covers another one"):
        for pattern, other in (
            ("falco.>", "falco.>"),
            (">", "falco.>"),
            ("falco.*.*", "falco.error.*"),
            ("falco.error.*", "falco.error.x"),
            ("falco.>", "falco.error.*"),
        ):
            expect(covers(pattern, other)).to(equal(True))

    with it("does not cover another one"):
        for pattern, other in (
            ("falco.*", "falco.>"),
            ("falco.*.*", "falco.>"),
            ("falco.error.x", "falco.error.*"),
            ("falco", "falco.>"),
            ("falco.a.>", "falco.a"),
        ):
            expect(covers(pattern, other)).to(equal(False))

    with it("overlaps another one where a subject can be of both"):
        expect(overlaps("falco.*.x", "falco.error.*")).to(equal(True))
        expect(overlaps("*.debug.x", "falco.>")).to(equal(True))
        expect(overlaps("falco.error.*", "falco.debug.*")).to(equal(False))
        expect(overlaps("falco", "falco.error")).to(equal(False))

    with it("is refused where it renames subjects, in plain words"):
        transform = SubjectTransform(src="falco.>", dest="alerts.>")
        config = StreamConfig(
            name="FALCO", subjects=[WANTED], retention="limits", subject_transform=transform
        )
        answer = choose([Stream.of(config)], WANTED)

        expect(answer.why).to(contain("stream FALCO renames subjects (falco.> to alerts.>)"))

with description("The bounds of a stream") as self:
    with it("are missed where there is none, or where it refuses messages"):
        expect(unbounded(info())).to(contain("stream FALCO has no bound", "--max-bytes"))
        expect(unbounded(info(size=100, used=95, discard="new"))).to(
            contain("is full by 95%", "--discard old")
        )
        expect(unbounded(info(size=100, used=89))).to(equal(""))

    with it("are named where they are nearly reached, and the oldest messages go soon"):
        expect(unbounded(info(size=100, used=97))).to(
            contain("is full by 97% and lets the oldest messages go", "--max-bytes 200")
        )

    with it("make it refuse messages where it is full and keeps the oldest"):
        most = 100 * 1024 * 1024
        expect(refuses(info(size=most, used=most - 10, discard="new"))).to(contain("is full"))
        for given in ({"size": most, "used": most}, {"size": most, "discard": "new"}, {}):
            expect(refuses(info(**given))).to(equal(""))

    with it("count messages as well as bytes, and a sealed stream takes none"):
        counted, closed = info(discard="new"), info()
        counted.config.max_msgs, closed.config.sealed = 100, True

        expect(refuses(counted)).to(contain("is full"))
        expect(refuses(closed)).to(contain("is sealed"))
