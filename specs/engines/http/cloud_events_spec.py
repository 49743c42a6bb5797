"""Among them the ten cases in which the two generations of the SDK for Python disagree."""

import base64
import json

from expects import contain, equal, expect, have_properties, raise_error
from mamba import description, it

from playbooks.engines.http.cloud_events import NoCloudEvent, of_request

BODY = b'{"rule": "Terminal shell in container"}'
BINARY = {
    "Content-Type": "application/json",
    "Ce-Specversion": "1.0",
    "Ce-Id": "a-1",
    "Ce-Type": "falco.rule.output.v1",
    "Ce-Source": "https://falco.org",
    "Ce-Rule": "Zugriff auf SchlÃ¼ssel",
    "Ce-Time": "2026-01-02T03:04:05.1Z",
}
ENVELOPE = {
    "specversion": "1.0",
    "id": "b-2",
    "type": "falco.rule.output.v1",
    "source": "https://falco.org",
}
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=UTF-8"}


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


def structured(**changes):
    return of_request(STRUCTURED, json.dumps({**ENVELOPE, **changes}).encode())


def refusing(headers, body=BODY):
    return lambda: of_request(headers, body)


with description("A CloudEvent") as self:
    with it("is read in binary mode, with the data as it was sent"):
        event = of_request(BINARY, BODY)

        expect(event).to(
            have_properties(
                id="a-1", type="falco.rule.output.v1", source="https://falco.org", data=BODY
            )
        )

    with it("is read whatever the case of its headers"):
        lower = {name.lower(): value for name, value in BINARY.items()}

        expect(of_request(lower, BODY).id).to(equal("a-1"))

    with it("is read in structured mode, with the data as JSON has it"):
        event = structured(data={"rule": "x"})

        expect((event.id, event.data)).to(equal(("b-2", {"rule": "x"})))

    with description("where the SDKs disagree"):
        with it("is refused in binary mode without an id: none is invented"):
            expect(refusing(without(BINARY, "Ce-Id"))).to(
                raise_error(NoCloudEvent, contain("header ce-id of the CloudEvent is missing"))
            )

        with it("is refused in structured mode without a version"):
            body = json.dumps(without(ENVELOPE, "specversion")).encode()

            expect(refusing(STRUCTURED, body)).to(
                raise_error(NoCloudEvent, contain("specversion is missing, expected 1.0"))
            )

        with it("keeps data that is no JSON as the bytes that came"):
            expect(of_request(BINARY, b"\xffnonsense").data).to(equal(b"\xffnonsense"))

        with it("does not read a time, which decides nothing"):
            expect(of_request({**BINARY, "Ce-Time": "yesterday"}, BODY).id).to(equal("a-1"))

        with it("is refused in a version that it does not know, and says which"):
            expect(refusing({**BINARY, "Ce-Specversion": "0.3"})).to(
                raise_error(NoCloudEvent, contain("specversion is '0.3', expected 1.0"))
            )

        with it("may have extensions with names that the specification does not allow"):
            expect(of_request({**BINARY, "Ce-My-Extension": "x"}, BODY).data).to(equal(BODY))

        with it("is read as its content type says where it also has ce- headers"):
            body = json.dumps({**ENVELOPE, "data": {"rule": "x"}}).encode()
            event = of_request({**BINARY, **STRUCTURED}, body)

            expect((event.id, event.data)).to(equal(("b-2", {"rule": "x"})))

        with it("decodes data in base64, and reads nothing into it"):
            event = structured(data_base64=base64.b64encode(BODY).decode())

            expect(event.data).to(equal(BODY))

        with it("is refused in a batch, with the reason"):
            for kind in ("application/cloudevents-batch+json", "application/cloudevents-batch"):
                expect(refusing({"Content-Type": kind}, b"[]")).to(
                    raise_error(NoCloudEvent, contain("send each of them by itself"))
                )

        with it("is not what has neither its headers nor its content type"):
            expect(refusing({"Content-Type": "application/json"})).to(
                raise_error(NoCloudEvent, contain("this is no CloudEvent"))
            )

    with it("has no data where the body is empty"):
        expect(of_request(BINARY, b"").data).to(equal(b""))
        expect(structured().data).to(equal(None))

    with it("is refused where it cannot be read"):
        for headers, body, why in (
            (STRUCTURED, b"{", "no JSON"),
            (STRUCTURED, b"[" * 100000, "no JSON"),
            (STRUCTURED, b"[]", "no JSON object"),
            (STRUCTURED, json.dumps({**ENVELOPE, "id": 7}).encode(), "id of the CloudEvent"),
            (STRUCTURED, json.dumps({**ENVELOPE, "data_base64": "%"}).encode(), "not base64"),
            (STRUCTURED, json.dumps({**ENVELOPE, "data_base64": 7}).encode(), "not base64"),
            (
                STRUCTURED,
                json.dumps({**ENVELOPE, "data": 1, "data_base64": ""}).encode(),
                "one of them",
            ),
            ({"Content-Type": "application/cloudevents+avro"}, b"", "only application/cloudevents"),
        ):
            expect(refusing(headers, body)).to(raise_error(NoCloudEvent, contain(why)))
