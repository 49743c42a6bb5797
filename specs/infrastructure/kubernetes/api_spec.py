"""Which error an answer of the API server becomes. Runs without a cluster: the answers are ones
that Kubernetes 1.34 gave, said again by a server on loopback."""

import json
import ssl
from dataclasses import replace
from http.client import BadStatusLine, InvalidURL

import urllib3
from expects import be_none, contain, equal, expect, have_len, raise_error
from mamba import after, before, description, it

from playbooks.core import errors
from playbooks.infrastructure.kubernetes.api import AnswerTooLong, KubernetesApi, VersionGone
from playbooks.infrastructure.kubernetes.connect import Connection, Route
from specs.support.loopback.server import Answer, LoopbackServer, a_status, api_of

UID, OTHER_UID = "2df9b2f3-8c60-4018-b5bd-b09e1d5f0ce5", "bdfe9e39-67f6-447e-9c8e-8b477d02514a"


def error_of(server, answer):
    server.answer = lambda asked: answer
    try:
        api_of(server).get("api", "v1", "nodes", "node-1")
    except errors.PlaybookError as error:
        return error
    return None


def watched(server, *answered, status=200):
    """The events of a watch, or the error that it raised."""
    body = b"".join(json.dumps(each).encode() + b"\n" for each in answered)
    server.answer = lambda asked: Answer(status, body)
    api, found = api_of(server), []
    try:
        with api.watch("api", "v1", "pods", seconds=1) as events:
            found += events
    except errors.PlaybookError as error:
        return [type(error), str(error)]
    return found


with description("The client of the API") as self:
    with before.all:
        self.server = LoopbackServer()

    with after.all:
        self.server.stop()

    with it("gives the object that the API server answers with"):
        self.server.answer = lambda asked: Answer(200, {"kind": "Node"})

        expect(api_of(self.server).get("api", "v1", "nodes", "node-1")).to(equal({"kind": "Node"}))

    with it("reads an answer whose parts somebody else chose no further than that"):
        self.server.answer = lambda asked: Answer(200, b"x" * 200_000)
        api = api_of(self.server)

        expect(api.read("api", "v1", "pods", most=200_000)).to(have_len(200_000))
        expect(lambda: api.read("api", "v1", "pods", most=199_999)).to(raise_error(AnswerTooLong))

    with it("takes another uid than the precondition's for another object"):
        said = (
            f'Operation cannot be fulfilled on Pod "web-0": the UID in the precondition ({UID})'
            f" does not match the UID in record ({OTHER_UID}). The object might have been deleted"
            " and then recreated"
        )
        error = error_of(self.server, a_status(409, "Conflict", said))

        expect(type(error)).to(equal(errors.NotTheSameObject))

    with it("takes it for another object too where the storage noticed"):
        said = (
            'Operation cannot be fulfilled on pods "web-0": StorageError: invalid object, Code: 4,'
            " Key: /registry/pods/shop/web-0, ResourceVersion: 0, AdditionalErrorMsg:"
            f" Precondition failed: UID in precondition: {UID}, UID in object meta: {OTHER_UID}"
        )
        error = error_of(self.server, a_status(409, "Conflict", said))

        expect(type(error)).to(equal(errors.NotTheSameObject))

    with it("takes another resourceVersion for a conflict"):
        said = 'Operation cannot be fulfilled on nodes "node-1": the object has been modified'
        error = error_of(self.server, a_status(409, "Conflict", said))

        expect(type(error)).to(equal(errors.Conflict))

    with it("takes a name that is taken for no conflict"):
        error = error_of(self.server, a_status(409, "AlreadyExists", 'pods "a" already exists'))

        expect(type(error)).to(equal(errors.AlreadyExists))

    with it("takes a namespace that is being deleted for no lack of rights"):
        cause = {"reason": "NamespaceTerminating", "field": "metadata.namespace"}
        status = a_status(403, "Forbidden", "it is being terminated", details={"causes": [cause]})

        expect(type(error_of(self.server, status))).to(equal(errors.NamespaceTerminating))

    with it("takes an object that is too large to be written for one that stays so"):
        status = a_status(500, "InternalError", "etcdserver: request is too large")
        error = error_of(self.server, status)

        expect(type(error)).to(equal(errors.ObjectTooLarge))
        expect(str(error)).to(contain("take labels or annotations off it"))

    with it("says whose rights are lacking"):
        said = 'nodes "node-1" is forbidden: User "system:anonymous" cannot get resource "nodes"'
        error = error_of(self.server, a_status(403, "Forbidden", said))

        expect(type(error)).to(equal(errors.NotPermitted))
        expect(str(error)).to(equal(f"GET /api/v1/nodes/node-1: {said} (403)"))

    with it("says how long to wait, where the API server does"):
        slow = a_status(429, "TooManyRequests", "slow")
        asked = error_of(self.server, replace(slow, headers={"Retry-After": "7"}))
        not_asked = error_of(self.server, slow)

        expect([type(asked), asked.retry_after]).to(equal([errors.Throttled, 7.0]))
        expect(not_asked.retry_after).to(be_none)

    with it("says that a request is refused"):
        error = error_of(self.server, a_status(422, "Invalid", "a valid label must be"))

        expect(type(error)).to(equal(errors.Refused))

    with it("takes what is no answer of an API server for none, whatever its status"):
        page = error_of(self.server, Answer(200, b"<html>Log in</html>"))
        array = error_of(self.server, Answer(200, b"[]"))
        redirect = error_of(
            self.server, Answer(302, b"", {"Location": "https://elsewhere.example/"})
        )

        for error in (page, array, redirect):
            expect(type(error)).to(equal(errors.ClusterUnavailable))
        expect(str(page)).to(contain("no Kubernetes answer (200)"))

    with it("raises nothing but our errors, whatever the transport does"):

        class Broken:
            def __init__(self, error):
                self.error = error

            def request(self, *_given, **_named):
                raise self.error

        def kind_of(error):
            connection = Connection(Route("https://198.18.7.7"))
            connection.pool = connection.wire = Broken(error)
            try:
                KubernetesApi(connect=lambda: connection).get("version")
            except Exception as raised:
                return type(raised)

        for error in (
            urllib3.exceptions.LocationParseError("a"),
            urllib3.exceptions.ProtocolError("a"),
            ssl.SSLError("a"),
            UnicodeEncodeError("idna", "a", 0, 1, "a"),
            ConnectionResetError("a"),
            InvalidURL("a"),
            BadStatusLine("a"),
        ):
            expect([error, kind_of(error)]).to(equal([error, errors.ClusterUnavailable]))

    with it("gives the events of a watch, and raises the one that is an error"):
        added = {"type": "ADDED", "object": {"metadata": {"resourceVersion": "2"}}}

        for code, kind in ((410, VersionGone), (500, errors.PlaybookError)):
            status = {"kind": "Status", "code": code, "message": "why"}
            error = {"type": "ERROR", "object": status}

            expect(watched(self.server, added, error)).to(
                equal([kind, f"the watch ended: why ({code})"])
            )
        gone = a_status(410, "Expired", "too old resource version").body

        expect(watched(self.server, added, added)).to(equal([added, added]))
        expect(watched(self.server, gone, status=410)[0]).to(equal(VersionGone))
        expect(watched(self.server, status=502)[0]).to(equal(errors.ClusterUnavailable))

    with it("takes an answer of too many brackets for none"):
        error = error_of(self.server, Answer(200, b"[" * 100000))

        expect(type(error)).to(equal(errors.ClusterUnavailable))
