import json
import tracemalloc
from pathlib import Path

from expects import be, be_below, be_empty, contain, equal, expect, have_len, raise_error
from mamba import before, description, it

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.subjects import Priority
from playbooks.testing import a_document

FIELD = Path(__file__).parents[1] / "support" / "alerts" / "invalid_utf8.jsonl"
RECORDED = Path(__file__).parents[1] / "support" / "alerts" / "falco_alerts.jsonl"


def the_error_of(body):
    try:
        Alert.parse(body)
    except InvalidAlert as error:
        return str(error)
    return "no error"


with description("An alert") as self:
    with it("is read from a dict, from text and from bytes"):
        document = a_document()
        text = json.dumps(document)

        expect(Alert.parse(text)).to(equal(Alert.parse(document)))
        expect(Alert.parse(text.encode())).to(equal(Alert.parse(document)))

    with it("is not read again once it is one"):
        alert = Alert.parse({"rule": "A rule", "priority": "Error", "time": "2026-01-02T03:04:05Z"})

        expect(Alert.parse(alert) is alert).to(equal(True))

    with it("is asked what it points at by many, and looks once"):
        alert = Alert.parse(a_document())

        expect(alert.claim).to(be(alert.claim))

    with it("needs no more than rule, priority and time"):
        alert = Alert.parse({"rule": "A rule", "priority": "Error", "time": "2026-01-02T03:04:05Z"})

        expect(alert.rule).to(equal("A rule"))
        expect(alert.priority).to(equal(Priority.ERROR))
        expect(alert.source).to(equal("syscall"))
        expect(alert.tags).to(be_empty)
        expect(alert.fields).to(be_empty)

    with it("takes null and <NA> for absent"):
        absent = Alert.parse(
            a_document(output=None, tags=None, hostname="<NA>", output_fields=None, source="<NA>")
        )

        expect([absent.output, absent.hostname, absent.source]).to(equal(["", "", "syscall"]))

    with it("takes Falcosidekick's plural source for Falco's"):
        expect(Alert.parse(a_document(source="syscalls")).source).to(equal("syscall"))

    with it("keeps nanoseconds"):
        alert = Alert.parse(a_document(time="2026-01-02T03:04:05.123456789Z"))

        expect(str(alert.time)).to(equal("2026-01-02T03:04:05.123456789Z"))

    with it("keeps integers beyond 2^53 exactly"):
        alert = Alert.parse(
            '{"rule": "r", "priority": "info", "time": "2026-01-02T03:04:05Z",'
            ' "output_fields": {"evt.time": 1763990531153390386}}'
        )

        expect(alert.fields["evt.time"]).to(equal(1763990531153390386))

    with description("recorded from a real Falco"):
        with before.each:
            self.lines = RECORDED.read_text(encoding="utf-8").splitlines()

        with it("is read, every one but the one whose time is no RFC 3339 time"):
            refused = [line for line in self.lines if the_error_of(line) != "no error"]

            expect(self.lines).to(have_len(35))
            expect(refused).to(have_len(1))
            expect(the_error_of(refused[0])).to(
                equal(
                    "time is '2021-04-13T20:58:00.746609046Z+2', expected an RFC 3339 time such as"
                    " 2026-01-02T03:04:05.123456789Z"
                )
            )

    with description("with anything in its text for people"):
        with it("is read, and all its text is valid UTF-8"):
            lines = FIELD.read_bytes().splitlines()
            alerts = [Alert.parse(line) for line in lines]

            expect([alert.claim.pod for alert in alerts]).to(
                equal(["raw-0", "surrogate-0", "nul-0", "ctl-0"])
            )
            expect([alert.fields["fd.name"] for alert in alerts]).to(
                equal(["/tmp/x\ufffd\ufffdy", "/tmp/x\ufffdy", "/tmp/x\0y", "/tmp/x\1\x1by"])
            )
            for alert in alerts:
                expect(str(alert).encode("utf-8")).not_to(be_empty)

        with it("is read where an engine parsed it, too"):
            document = a_document(output="\ud83d", tags=["\udc00"], hostname="node-1\ud800")
            alert = Alert.parse(
                {**document, "output_fields": {"\ud83d": ["\ud83d", {"a": "\ud83d"}]}}
            )

            expect([alert.output, alert.tags, alert.hostname]).to(
                equal(["\ufffd", ("\ufffd",), "node-1\ufffd"])
            )
            expect(alert.fields).to(equal({"\ufffd": ["\ufffd", {"a": "\ufffd"}]}))
            expect(alert.claim.node).to(be_empty)

        with it("is read however deep something in it is nested"):
            nested = "[" * 500 + "]" * 500
            body = json.dumps(a_document(output_fields={"a": "NESTED"}))

            expect(Alert.parse(body.replace('"NESTED"', nested)).rule).not_to(be_empty)

        with it("takes little memory, whatever it nests, and keeps its other fields"):
            nested = f"[{','.join(['[[[]]]'] * 50_000)}]"
            body = json.dumps(a_document(output_fields={"a": "NESTED", "k8s.pod.name": "web-0"}))
            tracemalloc.start()
            alert = Alert.parse(body.replace('"NESTED"', nested))
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()

            expect(held).to(be_below(1_000_000))
            expect(alert.claim.pod).to(equal("web-0"))

    with description("that is none"):
        with it("is named when it is no JSON"):
            expect(the_error_of("{")).to(equal("the message is '{', expected a JSON object"))

        with it("is named when it is no object"):
            expect(the_error_of(b"[1]")).to(equal("the message is [1], expected a JSON object"))

        with it("is named when there is no body"):
            expect(the_error_of(None)).to(equal("the message is None, expected a JSON object"))

        with it("is named when it is no text at all"):
            expect(the_error_of(b"\xff")).to(
                equal("the message is '\ufffd', expected a JSON object")
            )

        with it("is named when what decides is no text, or has control characters in it"):
            for key in ("rule", "priority", "time"):
                body = json.dumps(a_document(**{key: "HERE"})).encode()
                for strange in (b"\xff", b"\\ud83d", b"a\x1bb"):
                    expect(the_error_of(body.replace(b"HERE", strange))).to(contain(f"{key} is '"))

        with it(
            "is named when the rule is longer than anybody names one: it is in all that is said"
        ):
            expect(Alert.parse(a_document(rule="r" * 1000)).rule).to(equal("r" * 1000))
            expect(the_error_of(a_document(rule="r" * 1001))).to(contain("rule is 'rrr"))

        with it("is named when it is nested too deeply"):
            expect(the_error_of("[" * 100000)).to(contain("expected a JSON object"))

        with it("names the missing key"):
            expect(the_error_of(a_document(rule=None))).to(
                equal("rule is missing, expected a value")
            )

        with it("names the priority, its value and those there are"):
            expect(the_error_of(a_document(priority="Urgent"))).to(
                equal(
                    "priority is 'Urgent', expected one of Emergency, Alert, Critical, Error,"
                    " Warning, Notice, Informational, Debug"
                )
            )

        with it("names a time that does not exist"):
            expect(the_error_of(a_document(time="2026-02-30T00:00:00Z"))).to(
                contain("time is '2026-02-30T00:00:00Z'")
            )

        with it("names a key of another type"):
            expect(the_error_of(a_document(hostname=5))).to(equal("hostname is 5, expected text"))
            expect(the_error_of(a_document(tags="a"))).to(
                equal("tags is 'a', expected a list of text")
            )
            expect(the_error_of(a_document(output_fields=[]))).to(
                equal("output_fields is [], expected an object")
            )

        with it("shows no more of a long value than a line"):
            expect(len(the_error_of("x" * 10_000_000))).to(equal(len(the_error_of("x" * 1000))))

    with description("its message"):
        with it("is the output without time and priority"):
            expect(Alert.parse(a_document()).message).to(equal("A shell was spawned"))

        with it("is the output without an ISO 8601 time too"):
            output = "2026-01-02T03:04:05.123456789+0000: Warning Read: it"

            expect(Alert.parse(a_document(output=output)).message).to(equal("Read: it"))

        with it("is never cut at a colon"):
            output = "13:22:11.153390386: Error a: b: c"

            expect(Alert.parse(a_document(output=output)).message).to(equal("a: b: c"))

        with it("is the output of an internal alert, which has no prefix"):
            output = "Falco internal: syscall event drop. 5 system calls dropped."

            expect(Alert.parse(a_document(output=output)).message).to(equal(output))


with description("A priority") as self:
    with it("is ordered"):
        ordered = " > ".join(str(priority) for priority in sorted(Priority, reverse=True))

        expect(ordered).to(
            equal("Emergency > Alert > Critical > Error > Warning > Notice > Informational > Debug")
        )

    with it("is read in any case, and as rules write it"):
        expect(Priority.of("wArNiNg")).to(equal(Priority.WARNING))
        expect(Priority.of("info")).to(equal(Priority.INFORMATIONAL))

    with it("is none of another name"):
        expect(lambda: Priority.of("high")).to(raise_error(ValueError))
