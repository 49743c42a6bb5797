import json

from expects import contain, equal, expect
from mamba import description, it

from playbooks.commands.dead import COLUMNS, dead_letter, row
from playbooks.deployment import terminal
from playbooks.testing import a_document
from specs.commands.fake_cluster import a_line


def a_letter(*given, **headers):
    return dead_letter(a_line(*given, **headers))


def an_alert(**changes):
    return json.dumps(a_document(**changes)).encode()


def table(letters):
    return terminal.table(COLUMNS, [row(letter) for letter in letters])


def rows(*letters):
    return table(letters).splitlines()


with description("The table of dead letters") as self:
    with it("has a row each, in columns, and below it why"):
        body = an_alert(
            rule="Terminal shell in container",
            priority="Critical",
            time="2026-11-21T09:59:59.123456789Z",
            output_fields={"k8s.ns.name": "shop", "k8s.pod.name": "web-0"},
        )

        expect(rows(a_letter(17, body), a_letter(1234, b"nonsense", Reason="invalid-alert"))).to(
            equal(
                [
                    "TIME                  RULE                         PRIORITY  TARGET        "
                    "  REASON         DELIVERIES  ID",
                    "2026-11-21T09:59:59Z  Terminal shell in container  Critical  pod shop/web-0"
                    "  not-permitted  1           17",
                    "    not tried again: GET /pods: forbidden (403)",
                    "2026-11-21T10:00:00Z  -                            -         -             "
                    "  invalid-alert  1           1234",
                    "    not tried again: GET /pods: forbidden (403)",
                ]
            )
        )

    with it("says what cannot be put back, and what only by name"):
        said = table([a_letter(Cut="9000000 bytes"), a_letter(own=False)])

        expect(said).to(contain("its 9000000 bytes did not fit", "cannot be redelivered"))
        expect(said).to(contain("of an earlier Function of this name"))

    with it("does not let an alert speak to the terminal"):
        said = table([a_letter(17, an_alert(rule="a\u202eb"), Message="\x1b[2J")])

        expect(said.isascii()).to(equal(True))
        expect(said).to(contain("a\\u202eb", "\\x1b[2J"))

    with it("keeps its width where a rule's name has none"):
        expect(len(max(rows(a_letter(17, an_alert(rule="x" * 5000))), key=len)) < 200).to(
            equal(True)
        )

    with it("bears letters without any headers of ours"):
        line = {**a_line(), "headers": {}}

        expect(rows(dead_letter(line))[1]).to(contain("  -  "))

with description("A dead letter for machines") as self:
    with it("has the alert's facts, the letter's, and the body as it came"):
        body = an_alert(rule="r", priority="info", time="2026-11-21T09:59:59Z")
        said = a_letter(17, body, **{"Function-Uid": "uid-1"})

        expect({key: said[key] for key in said if key not in ("body", "message", "target")}).to(
            equal(
                {
                    "id": 17,
                    "time": "2026-11-21T09:59:59.000000000Z",
                    "rule": "r",
                    "priority": "Informational",
                    "reason": "not-permitted",
                    "deliveries": 1,
                    "count": 1,
                    "first": "2026-11-21T10:00:00.500000000Z",
                    "last": "2026-11-21T10:00:00.500000000Z",
                    "stored": "2026-11-21T10:00:00.500000000Z",
                    "given_up": "2026-11-21T10:00:01.25Z",
                    "origin": "FALCO:5",
                    "subject": "",
                    "playbook": "",
                    "function_uid": "uid-1",
                    "own": True,
                    "cut": "",
                    "trace_id": "",
                }
            )
        )
        expect(said["body"]).to(equal(body.decode()))

    with it("has nulls for what is no alert, and a raw body that is no text as base64"):
        said = a_letter(17, b"\xff\x00", Deliveries="many")

        expect([said[key] for key in ("time", "rule", "priority", "target", "deliveries")]).to(
            equal([None] * 5)
        )
        expect(said["body"]).to(equal("\ufffd\0"))
        raw = dead_letter(a_line(17, b"\xff\x00"), raw=True)
        expect(raw["body_base64"]).to(equal("/wA="))

    with it("points at what the alert points at"):
        for fields, target in (
            ({"k8s.ns.name": "shop", "k8s.pod.name": "web-0"}, "pod shop/web-0"),
            ({"k8s.pod.name": "web-0"}, "pod web-0"),
            ({"k8s.pod.uid": "5b0c2f6e"}, "pod of uid 5b0c2f6e"),
            ({"container.id": "1c76aa4d31f2"}, "container 1c76aa4d31f2"),
            ({"container.id": "host"}, "node node-1"),
            ({}, None),
        ):
            body = an_alert(hostname="node-1", output_fields=fields)

            expect(a_letter(17, body)["target"]).to(equal(target))
