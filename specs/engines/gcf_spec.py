import base64
import gzip
import io
import json
from contextlib import redirect_stderr

from expects import contain, equal, expect
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable, InvalidSetting, Throttled
from playbooks.delete import playbook
from playbooks.engines import gcf
from playbooks.testing import InMemoryCluster, a_document, a_pod, an_alert, some_collaborators
from specs.support.engines.callers import flask_request

ALERT = json.dumps(a_document(output_fields=dict(an_alert().fields))).encode()

# Of a message as Eventarc delivers it. Source: https://cloud.google.com/eventarc/docs/event-format
PUBSUB = {
    "Content_Type": "application/json",
    "Ce_Specversion": "1.0",
    "Ce_Id": "11",
    "Ce_Source": "//pubsub.googleapis.com/projects/p/topics/falco",
    "Ce_Type": "google.cloud.pubsub.topic.v1.messagePublished",
}


def a_message(data=ALERT):
    return {
        "data": base64.b64encode(data).decode(),
        "attributes": {"origin": "falcosidekick"},
        "messageId": "11",
        "message_id": "11",
        "publishTime": "2026-01-02T03:04:05.000Z",
    }


def pushed(message):
    return {"message": message, "subscription": "projects/p/subscriptions/s"}


with description("A Cloud Function") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_pod())
        self.log = io.StringIO()

    def call(self, make, body, method="POST", **headers):
        collaborators = some_collaborators(self.cluster)
        function = make(playbook, {}, collaborators, patience=0.0)
        request = flask_request(body, **headers)
        request.method = method
        with redirect_stderr(self.log):
            text, status, answered = function(request)
        return status, json.loads(text), answered

    with it("is told its name by functions-framework, which is that of the function in it"):
        made = (gcf.alert(playbook, {}), gcf.event(playbook, {}))

        expect([function.__name__ for function in made]).to(equal(["alert", "event"]))

    with it("is not deployed with a wrong setting: it is read once, at the start"):
        try:
            gcf.alert(playbook, {"TOPICS": "falco..x"})
            said = ""
        except InvalidSetting as error:
            said = str(error)

        expect(said).to(contain("TOPICS"))

    with description("for alerts"):
        with it("answers what Falcosidekick posts, with its charset"):
            kind = "application/json; charset=utf-8"
            status, outcome, headers = self.call(gcf.alert, ALERT, Content_Type=kind)

            expect((status, outcome["reason"])).to(equal((200, "deletion-accepted")))
            expect(headers["Content-Type"]).to(equal("application/json"))

        with it("answers what CallFunction sends, which says no content type"):
            expect(self.call(gcf.alert, ALERT)[0]).to(equal(200))

        with it("inflates what Falco compressed"):
            status, outcome, _ = self.call(gcf.alert, gzip.compress(ALERT), Content_Encoding="gzip")

            expect((status, outcome["reason"])).to(equal((200, "deletion-accepted")))

        with it("says when to come again where the API server says it"):
            self.cluster.failures["pod"] = [Throttled("slow down", retry_after=7)]
            status, _, headers = self.call(gcf.alert, ALERT)

            expect((status, headers["Retry-After"])).to(equal((429, "7")))

        with it("takes alerts by POST only"):
            status, _, headers = self.call(gcf.alert, b"", "GET")

            expect((status, headers["Allow"])).to(equal((405, "POST")))

    with description("for messages"):
        with it("answers the alert in a message of Pub/Sub"):
            for body in (pushed(a_message()), {"message": a_message()}):
                self.cluster.put(a_pod())
                status, outcome, _ = self.call(gcf.event, json.dumps(body).encode(), **PUBSUB)

                expect((status, outcome["reason"])).to(equal((200, "deletion-accepted")))
            expect(json.loads(self.log.getvalue().splitlines()[-1])["event_id"]).to(equal("11"))

        with it("answers that in a structured CloudEvent"):
            event = {
                "specversion": "1.0",
                "id": "12",
                "type": PUBSUB["Ce_Type"],
                "source": PUBSUB["Ce_Source"],
                "data": pushed(a_message()),
            }
            kind = "application/cloudevents+json; charset=utf-8"
            body = json.dumps(event).encode()
            status, outcome, _ = self.call(gcf.event, body, Content_Type=kind)

            expect((status, outcome["reason"])).to(equal((200, "deletion-accepted")))

        with it("answers what a subscription pushes, which is no CloudEvent"):
            body = json.dumps(pushed(a_message())).encode()
            status, outcome, _ = self.call(gcf.event, body, Content_Type="application/json")

            expect((status, outcome["reason"])).to(equal((200, "deletion-accepted")))

        with it("answers an event of the first generation"):
            context = {"eventId": "13", "eventType": "google.pubsub.topic.publish"}
            body = json.dumps({"context": context, "data": a_message()}).encode()
            status, outcome, _ = self.call(gcf.event, body, Content_Type="application/json")

            expect((status, outcome["reason"])).to(equal((200, "deletion-accepted")))

        with it("answers the alert itself, which CallFunction sends"):
            expect(self.call(gcf.event, ALERT)[1]["reason"]).to(equal("deletion-accepted"))

        with it("takes what can never succeed, so that it does not come again for a day"):
            for body in (b"", b"{", b"[]", json.dumps(pushed({"data": "%%%"})).encode()):
                status, outcome, _ = self.call(gcf.event, body, **PUBSUB)

                expect((status, outcome["reason"])).to(equal((200, "invalid-alert")))

        with it("takes a batch, and says that it is none of its kind"):
            kind = "application/cloudevents-batch+json"
            status, outcome, _ = self.call(gcf.event, b"[]", Content_Type=kind)

            expect(status).to(equal(200))
            expect(outcome["message"]).to(contain("send each of them by itself"))

        with it("has what may succeed later come again, and records it only then"):
            self.cluster.failures["pod"] = [ClusterUnavailable("no answer")]
            status, outcome, _ = self.call(
                gcf.event, json.dumps(pushed(a_message())).encode(), **PUBSUB
            )

            expect((status, outcome["reason"])).to(equal((500, "cluster-unavailable")))
