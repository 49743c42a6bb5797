"""Lists of objects that a tenant makes, by a client of an API server on loopback."""

from urllib.parse import parse_qs, urlsplit

from expects import be_below, equal, expect, match, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import ListTooLong
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.testing import UID, a_pod
from specs.support.loopback.server import Answer, LoopbackServer, api_of

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
        events = KubernetesCluster(api_of(self.server)).events_of(a_pod(uid=UID), seconds=5)
        return len(events), asked

    with it("are 500 at most"):
        expect(self.events(length=10)).to(equal((500, [500])))

    with it("are fewer where somebody made long ones: they would take the memory of the worker"):
        expect(self.events(length=100_000)).to(equal((7, [500, 62, 7])))


with description("Objects that a tenant made long") as self:
    with before.all:
        self.server = LoopbackServer()

    with after.all:
        self.server.stop()

    def cluster(self, *, number, length):
        """Of so many objects; ``asked``: how many were asked for each time."""
        self.asked = asked = []

        def answer(request):
            query = parse_qs(urlsplit(request.path).query)
            asked.append(int(query["limit"][0]))
            before = int(query.get("continue", ["0"])[0])
            until = min(number, before + asked[-1])
            metadata = {"name": "x", "note": "x" * length}
            spec = {"selector": {"app": "web"}}
            items = [{"metadata": metadata, "spec": spec}] * (until - before)
            rest = str(until) if until < number else ""
            return Answer(200, {"metadata": {"continue": rest}, "items": items})

        self.server.answer = answer
        return KubernetesCluster(api_of(self.server))

    with it("are read by pages of 4 MiB, however many there are"):
        pod = a_pod(metadata={"labels": {"app": "web", "tier": "front"}})
        found = self.cluster(number=40, length=200_000).service_keys(pod)

        expect(found).to(equal({"app"}))
        expect(self.asked).to(equal([200, 25, 3, 6, 12, 24]))

    with it("are read one by one where each has more than that, as stored ones never have"):
        found = self.cluster(number=3, length=5_000_000).network_policies("shop")

        expect(len(list(found))).to(equal(3))
        expect(self.asked).to(equal([200, 25, 3, 1, 2, 1, 2, 1]))

    with it("are read as far as they are asked for"):
        found = self.cluster(number=600, length=10).network_policies("shop")
        next(iter(found))

        expect(self.asked).to(equal([200]))

    with it("are too many from 32 MiB on, which is said with what to do"):
        pod = a_pod(namespace="shop", metadata={"labels": {"app": "web"}})
        cluster = self.cluster(number=2000, length=200_000)

        said = "GET /api/v1/namespaces/shop/services: more than 32 MiB.*delete those"
        expect(lambda: cluster.service_keys(pod)).to(raise_error(ListTooLong, match(said)))
        expect(sum(self.asked)).to(be_below(1500))

    with it("are too long where one alone has more than 16 MiB"):
        found = self.cluster(number=1, length=17_000_000).network_policies("shop")

        expect(lambda: list(found)).to(raise_error(ListTooLong))
