from expects import be_a, contain, equal, expect
from mamba import description, it

from playbooks.engines.worker.nats.streams import (
    CreateStream,
    Refuse,
    Stream,
    Use,
    choose,
    covers,
    overlaps,
)

WANTED = "falco.>"


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
