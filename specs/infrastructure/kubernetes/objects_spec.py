"""Objects of any kind, as a small API server is asked for them. Runs without a cluster."""

from urllib.parse import parse_qs, urlsplit

from expects import be_empty, contain, equal, expect, have_key, have_len, raise_error
from mamba import after, before, description, it

from playbooks.core.cluster.manifest import reference
from playbooks.core.errors import (
    AlreadyExists,
    ClusterUnavailable,
    Conflict,
    NotFound,
    NotPermitted,
    NotTheSameObject,
    PlaybookError,
    Throttled,
)
from playbooks.infrastructure.kubernetes.objects import KubernetesObjects
from specs.support.loopback.kubeconfigs import Kubeconfigs
from specs.support.loopback.server import Answer, LoopbackServer, a_status

POD = reference("v1", "Pod", "web", "shop")
ROLE = reference("rbac.authorization.k8s.io/v1", "ClusterRole", "reader")

SERVED = {
    "/api/v1": [
        {"name": "pods", "kind": "Pod", "namespaced": True},
        {"name": "pods/log", "kind": "Pod", "namespaced": True},
        {"name": "configmaps", "kind": "ConfigMap", "namespaced": True},
    ],
    "/apis/rbac.authorization.k8s.io/v1": [
        {"name": "clusterroles", "kind": "ClusterRole", "namespaced": False}
    ],
}


class Api:
    """``stored``: objects by path. ``refusals``: by method and path, each given once, in turn."""

    def __init__(self):
        self.stored, self.refusals = {}, {}
        self.server = LoopbackServer(answer=self._answer)

    def _answer(self, asked):
        path = urlsplit(asked.path).path
        waiting = self.refusals.get((asked.method, path))
        if waiting:
            return waiting.pop(0)
        if path in SERVED:
            return Answer(200, {"kind": "APIResourceList", "resources": SERVED[path]})
        if path == "/apis/rbac.authorization.k8s.io":
            version = {"groupVersion": "rbac.authorization.k8s.io/v1"}
            return Answer(200, {"kind": "APIGroup", "preferredVersion": version})
        if asked.method in ("POST", "PUT", "PATCH"):
            return Answer(201, {**asked.body, "stored": True})
        return Answer(200, self.stored[path]) if path in self.stored else a_status(404, "NotFound")

    @property
    def asked(self):
        """Methods and paths, without those of discovery."""
        paths = [(each.method, urlsplit(each.path).path) for each in self.server.asked]
        return [each for each in paths if each[1] not in SERVED]

    @property
    def query(self):
        """Of the last request."""
        return {k: v[0] for k, v in parse_qs(urlsplit(self.server.asked[-1].path).query).items()}


with description("Objects of the API") as self:
    with before.each:
        self.api = Api()
        self.kube = Kubeconfigs(self.api.server)
        self.kube.config(namespace="ops")
        self.slept = []
        self.objects = KubernetesObjects(self.kube.target, sleep=self.slept.append)

    with after.each:
        self.api.server.stop()
        self.kube.clean()

    with it("are of the cluster of the kubeconfig, and of its namespace"):
        expect(str(self.objects)).to(contain("context here", self.api.server.url))
        expect(self.objects.current_namespace()).to(equal("ops"))

    with it("are of the namespace default where there is no kubeconfig, and it says why"):
        self.kube.environ["KUBECONFIG"] = "/none"

        expect(self.objects.current_namespace()).to(equal("default"))
        expect(str(self.objects)).to(contain("there is no kubeconfig: /none"))

    with it("are read by kind, namespace and name, where they are there"):
        self.api.stored["/api/v1/namespaces/shop/pods/web"] = {"kind": "Pod", "spec": 1}
        found = self.objects.get([POD, reference("v1", "Pod", "gone", "shop"), ROLE])

        expect(found).to(equal([{"kind": "Pod", "spec": 1}]))
        expect(self.api.asked[-1]).to(
            equal(("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/reader"))
        )

    with it("are asked for once what they are called"):
        self.objects.get([POD, POD, ROLE, ROLE])
        discovered = [asked for asked in self.api.server.asked if asked.path in SERVED]

        expect(discovered).to(have_len(2))

    with it("are of the current namespace where they name none"):
        self.objects.get([reference("v1", "Pod", "web")])

        expect(self.api.asked).to(equal([("GET", "/api/v1/namespaces/ops/pods/web")]))

    with it("are an error where their kind is not served"):
        for api in ("v1", "falco.org/v1"):
            expect(lambda api=api: self.objects.get([reference(api, "Falco", "a")])).to(
                raise_error(NotFound, f"the API server does not serve kind Falco of {api}")
            )

    with it("are not asked for where none is wanted"):
        expect(self.objects.get([]) + self.objects.create([])).to(be_empty)
        expect(self.api.server.asked).to(be_empty)

    with it("are listed in all namespaces or in one, by label, and say what they are"):
        items = {"apiVersion": "v1", "kind": "PodList", "items": [{"spec": 1}], "metadata": {}}
        for path in ("/api/v1/pods", "/api/v1/namespaces/shop/pods"):
            self.api.stored[path] = items
        everywhere = self.objects.list(("pods",))
        selected = self.objects.list(("pods",), namespace="shop", selector="a=b,c")

        expect(everywhere + selected).to(
            equal([{"apiVersion": "v1", "kind": "Pod", "spec": 1}] * 2)
        )
        expect(self.api.query["labelSelector"]).to(equal("a=b,c"))

    with it("are listed of several resources, each in the version that its group prefers"):
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        self.api.stored[path] = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleList",
            "items": [{}],
        }
        self.api.stored["/api/v1/pods"] = {"apiVersion": "v1", "kind": "PodList", "items": [{}]}
        found = self.objects.list(("clusterroles.rbac.authorization.k8s.io", "pods"))

        expect([each["kind"] for each in found]).to(equal(["ClusterRole", "Pod"]))
        expect(lambda: self.objects.list(("falcos.falco.org",))).to(raise_error(NotFound))

    with it("are listed to the last page"):
        pages = [
            Answer(200, {"apiVersion": "v1", "kind": "PodList", "items": [{"n": n}], "metadata": m})
            for n, m in ((1, {"continue": "more"}), (2, {}))
        ]
        self.api.refusals["GET", "/api/v1/pods"] = pages

        expect([each["n"] for each in self.objects.list(("pods",))]).to(equal([1, 2]))
        expect(self.api.query["continue"]).to(equal("more"))

    with it("are created and replaced as ours, strictly, and as they are then"):
        expect(self.objects.create([{**POD, "a": "é"}])).to(
            equal([{**POD, "a": "é", "stored": True}])
        )
        expect(self.api.asked).to(equal([("POST", "/api/v1/namespaces/shop/pods")]))
        expect(self.api.query).to(
            equal({"fieldManager": "deploy_playbook", "fieldValidation": "Strict"})
        )
        self.objects.replace([POD], dry_run=True)
        expect(self.api.asked[-1]).to(equal(("PUT", "/api/v1/namespaces/shop/pods/web")))
        expect(self.api.query["dryRun"]).to(equal("All"))

    with it("are refused with one line where the API server says the same of several"):
        path = "/api/v1/namespaces/shop/pods"
        self.api.refusals["POST", path] = [a_status(403, "Forbidden"), a_status(403, "Forbidden")]
        try:
            self.objects.create([POD, POD])
        except NotPermitted as error:
            said = str(error)

        expect(said.splitlines()).to(have_len(1))

    with it("are refused with an error of what the API server said"):
        post = ("POST", "/api/v1/namespaces/shop/pods")
        for answer, kind in (
            (a_status(404, "NotFound"), NotFound),
            (a_status(409, "AlreadyExists"), AlreadyExists),
            (a_status(403, "Forbidden"), NotPermitted),
            (a_status(422, "Invalid"), PlaybookError),
        ):
            self.api.refusals[post] = [answer]
            expect(lambda: self.objects.create([POD])).to(raise_error(kind, contain("why")))

    with it("are each tried, and one error says all that was refused"):
        post = ("POST", "/api/v1/namespaces/shop/pods")
        self.api.refusals[post] = [a_status(403, "Forbidden", "a"), a_status(404, "NotFound", "b")]
        try:
            self.objects.create([POD, POD, POD])
        except PlaybookError as error:
            refused = error

        expect(type(refused)).to(equal(PlaybookError))
        expect(str(refused).splitlines()).to(have_len(2))
        expect(self.api.asked).to(have_len(3))

        self.api.refusals[post] = [a_status(403, "Forbidden", said) for said in "ab"]
        expect(lambda: self.objects.create([POD, POD])).to(raise_error(NotPermitted))

    with it("are not tried further where nobody answers"):
        self.api.refusals["POST", "/api/v1/namespaces/shop/pods"] = [Answer(503), Answer(503)]

        expect(lambda: self.objects.create([POD, POD])).to(raise_error(ClusterUnavailable))
        expect(self.api.asked).to(have_len(1))

    with it("are in conflict where somebody wrote them first, or made them anew"):
        put = ("PUT", "/api/v1/namespaces/shop/pods/web")
        for said in ("the object has been modified", "UID in precondition: a"):
            self.api.refusals[put] = [a_status(409, "Conflict", said)]
            expect(lambda: self.objects.replace([POD])).to(raise_error(Conflict))

    with it("are deleted without waiting, and may be gone already"):
        self.objects.delete(POD)

        expect(self.api.asked).to(equal([("DELETE", "/api/v1/namespaces/shop/pods/web")]))
        expect(self.api.server.asked[-1].body).to(
            equal(
                {
                    "apiVersion": "v1",
                    "kind": "DeleteOptions",
                    "propagationPolicy": "Background",
                }
            )
        )

    with it("are deleted as the ones that were read, and a dry run is said in the body"):
        read = {**POD, "metadata": {**POD["metadata"], "uid": "u"}}
        delete = ("DELETE", "/api/v1/namespaces/shop/pods/web")
        self.api.refusals[delete] = [a_status(409, "Conflict", "UID in the precondition (u)")]

        expect(lambda: self.objects.delete(read, dry_run=True)).to(raise_error(NotTheSameObject))
        body = self.api.server.asked[-1].body
        expect(body["preconditions"]).to(equal({"uid": "u"}))
        expect(body["dryRun"]).to(equal(["All"]))

    with it("are patched, and it can be tried as somebody else"):
        self.objects.patch(POD, {"metadata": {"labels": {"a": None}}})
        self.objects.try_as("system:serviceaccount:shop:falco", "UPDATE", POD, {})
        first, second = [each for each in self.api.server.asked if each.method == "PATCH"]

        expect(first.headers["content-type"]).to(equal("application/merge-patch+json"))
        expect(first.headers).not_to(have_key("impersonate-user"))
        expect(second.headers["impersonate-user"]).to(equal("system:serviceaccount:shop:falco"))
        expect(self.api.query).to(equal({"dryRun": "All"}))

    with it("have logs, which are no JSON"):
        path = "/api/v1/namespaces/shop/pods/web/log"
        self.api.refusals["GET", path] = [Answer(200, "é\nb".encode() + b"\xff")]

        expect(self.objects.logs("shop", "web", "main", lines=5, previous=True)).to(
            equal("é\nb\ufffd")
        )
        expect(self.api.query).to(
            equal({"container": "main", "tailLines": "5", "previous": "true"})
        )

    with it("are asked for again when the API server says when, and not for ever"):
        path = ("GET", "/version")
        later = Answer(429, {"message": "slow"}, {"Retry-After": "7"})
        self.api.stored["/version"] = {"gitVersion": "v1.34.4"}
        self.api.refusals[path] = [later, later]
        expect(self.objects.raw("/version")["gitVersion"]).to(equal("v1.34.4"))
        expect(self.slept).to(equal([7.0, 7.0]))

        self.api.refusals[path] = [later] * 99
        expect(lambda: self.objects.raw("/version")).to(raise_error(Throttled))
        self.api.refusals[path] = [Answer(429, {}, {"Retry-After": "3600"})]
        self.slept.clear()
        expect(lambda: self.objects.raw("/version")).to(raise_error(Throttled))
        expect(self.slept).to(be_empty)

    with it("are asked for by somebody, whose name the API server has since Kubernetes 1.28"):
        path = ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews")
        self.api.refusals[path] = [
            Answer(201, {"status": {"userInfo": {"username": "alice"}}}),
            a_status(404, "NotFound"),
        ]

        expect([self.objects.whoami(), self.objects.whoami()]).to(equal(["alice", ""]))
