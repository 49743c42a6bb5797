from expects import be_none, contain, equal, expect, raise_error
from mamba import description, it
from nats.js.api import StreamConfig, StreamInfo, StreamState, SubjectTransform

from playbooks.engines.worker.nats.streams import (
    Unusable,
    choose,
    refuses,
    unbounded,
)

WANTED = "falco.>"


def info(name="FALCO", subjects=(WANTED,), size=0, used=0, discard="old", **given):
    config = StreamConfig(name=name, subjects=[*subjects], max_bytes=size, discard=discard, **given)
    return StreamInfo(config, StreamState(100, used, 1, 1, 0))


def chosen(*streams):
    """The name of the one that is used, None where one is created, or why none can be."""
    try:
        found = choose(
            [info(name, subjects, retention=retention) for name, subjects, retention in streams],
            WANTED,
        )
    except Unusable as error:
        return str(error)
    return found and found.config.name


with description("The stream of alerts") as self:
    with it("is created where none has any of the subjects"):
        expect(chosen()).to(be_none)
        expect(chosen(("OTHER", ("orders.>", "falcon.>"), "limits"))).to(be_none)

    with it("is the one that covers them, whatever else it has"):
        expect(chosen(("A", ("orders.>",), "limits"), ("B", ("x", "falco.>"), "limits"))).to(
            equal("B")
        )
        expect(chosen(("ALL", (">",), "limits"))).to(equal("ALL"))
        expect(chosen(("ALL", ("*.>",), "limits"))).to(equal("ALL"))

    with it("is refused where acknowledging would delete other people's messages"):
        found = chosen(("JOBS", ("falco.>",), "workqueue"))

        expect(found).to(contain("JOBS", "workqueue", "limits"))

    with it("is refused where one has a part of the subjects, with what to do"):
        found = chosen(("ERRORS", ("falco.error.*",), "limits"))

        expect(found).to(contain("stream ERRORS has falco.error.*", "nats stream edit ERRORS"))

    with it("names all of them that have a part"):
        found = chosen(("A", ("falco.error.*",), "limits"), ("B", ("*.debug.x",), "limits"))

        expect(found).to(contain("stream A", "stream B"))

    with it("is refused where it renames subjects, in plain words"):
        transform = SubjectTransform(src="falco.>", dest="alerts.>")
        renaming = info(retention="limits", subject_transform=transform)

        expect(lambda: choose([renaming], WANTED)).to(
            raise_error(Unusable, contain("stream FALCO renames subjects (falco.> to alerts.>)"))
        )

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
