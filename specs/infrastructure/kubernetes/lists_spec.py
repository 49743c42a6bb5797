"""Lists of objects that a tenant makes, by a client of an API server on loopback."""

from urllib.parse import parse_qs, urlsplit

from expects import equal, expect
from mamba import after, before, description, it

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.connect import Connection, Route
from playbooks.testing import UID, a_pod
from specs.support.loopback.server import Answer, LoopbackServer

with description("The Events of a pod") as self:
    with before.all:
        self.server = LoopbackServer()

    with after.all:
        self.server.stop()

    def events(self, *, length):
        """How many there are, of 1000 of such a length; and how many were asked for each time."""
        asked = []

        def answer(request):
            query = parse_qs(urlsplit(request.path).query)
            expect(query["fieldSelector"]).to(equal([f"involvedObject.uid={UID}"]))
            asked.append(int(query["limit"][0]))
            items = [{"note": "x" * length}] * min(1000, asked[-1])
            return Answer(200, {"metadata": {"continue": "more"}, "items": items})

        self.server.answer = answer
        cluster = KubernetesCluster(
            KubernetesApi(connect=lambda: Connection(Route(self.server.url)))
        )
        return len(cluster.events_of(a_pod(uid=UID), seconds=5)), asked

    with it("are 500 at most"):
        expect(self.events(length=10)).to(equal((500, [500])))

    with it("are fewer where somebody made long ones: they would take the memory of the worker"):
        expect(self.events(length=100_000)).to(equal((7, [500, 62, 7])))
