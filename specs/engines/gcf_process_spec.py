"""The packaged function as Cloud Functions runs it, with a cloud and an API server on loopback."""

import base64
import json

from expects import contain, equal, expect, have_len
from mamba import after, description, it

from specs.support.bytecode import compile_all
from specs.support.conditions import not_run_unless
from specs.support.engines.cloud_function import FUNCTIONS_FRAMEWORK, CloudFunction
from specs.support.engines.process import a_fresh_alert
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.google_cloud import NAME, GoogleCloud
from specs.support.loopback.server import LoopbackServer, nothing_there

NAMED = ("-e", f"KUBECONFIG_SECRET={NAME}")


def started(secret, *words, **environ):
    """A function, and the cloud of its own, which keeps this kubeconfig."""
    cloud = GoogleCloud()
    cloud.secrets[NAME] = secret
    function = CloudFunction(*NAMED, *words, environ={**cloud.environ, **environ})
    compile_all(function.root)
    return function.start(), cloud


def a_kubeconfig(server, authority):
    trusted = base64.b64encode(authority.pem).decode()
    cluster = {"server": server.url, "certificate-authority-data": trusted}
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "gke-gcloud-auth-plugin",
    }
    return json.dumps(
        {
            "current-context": "gke",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"exec": plugin}}],
            "contexts": [{"name": "gke", "context": {"cluster": "c", "user": "u"}}],
        }
    )


# They take seconds to begin, in which other specs run.
if FUNCTIONS_FRAMEWORK.holds:
    AUTHORITY = an_authority()
    SERVER = LoopbackServer(a_certificate(AUTHORITY, "127.0.0.1"), answer=nothing_there)
    SECRET = a_kubeconfig(SERVER, AUTHORITY)
    POSTED = started(SECRET)
    EVENT = started(SECRET, "--trigger-topic", "falco")
    WRONG = started(SECRET, TOPICS="falco..x")

with description("The directory of a Cloud Function, served by functions-framework,") as self:
    with after.all:
        SERVER.stop()
        for function, cloud in (POSTED, EVENT, WRONG):
            # gunicorn takes a second to end, for which the end of all specs waits.
            function.process.terminate()
            cloud.stop()

    with it("answers what is posted, on the cluster of the secret, as its own account"):
        function, cloud = POSTED
        function.ready()
        kind = {"Content_Type": "application/json; charset=utf-8"}
        status, outcome = function.post(json.dumps(a_fresh_alert()).encode(), **kind)
        invalid, _ = function.post(b"{}", **kind)
        function.post(json.dumps(a_fresh_alert()).encode(), **kind)

        expect((status, outcome["reason"])).to(equal((200, "pod-gone")))
        expect(invalid).to(equal(400))
        asked = [a for a in SERVER.asked if a.path == "/api/v1/namespaces/shop/pods/web-0"]
        expect(asked).to(have_len(2))
        sent = {each.headers["authorization"] for each in asked}
        expect(sent).to(equal({f"Bearer {cloud.tokens[-1]}"}))
        expect(cloud.reads.count(NAME)).to(equal(1))
        expect([each["reason"] for each in function.outcomes]).to(
            equal(["pod-gone", "invalid-alert", "pod-gone"])
        )

    with it("answers a message of Pub/Sub, also where it is started for CloudEvents"):
        data = base64.b64encode(json.dumps(a_fresh_alert()).encode()).decode()
        body = json.dumps({"message": {"data": data}, "subscription": "s"}).encode()
        event = {
            "Content_Type": "application/json",
            "Ce_Specversion": "1.0",
            "Ce_Id": "1",
            "Ce_Source": "//pubsub.googleapis.com/projects/p/topics/falco",
            "Ce_Type": "google.cloud.pubsub.topic.v1.messagePublished",
        }
        function, _ = EVENT
        function.ready()
        status, outcome = function.post(body, **event)
        # functions-framework's own function for CloudEvents would answer 500, for ever.
        batch, refused = function.post(b"[]", Content_Type="application/cloudevents-batch+json")

        expect((status, outcome["reason"])).to(equal((200, "pod-gone")))
        expect((batch, refused["reason"])).to(equal((200, "invalid-alert")))

    with it("does not start with a wrong setting, and says which"):
        function, _ = WRONG
        try:
            function.ready()
            said = ""
        except AssertionError as error:
            said = str(error)

        expect(said).to(contain("TOPICS is 'falco..x', expected NATS topics"))


not_run_unless(FUNCTIONS_FRAMEWORK, globals())
