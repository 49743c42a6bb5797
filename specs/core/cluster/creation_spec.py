from expects import contain, equal, expect
from mamba import description, it

from playbooks.core.cluster import creation
from playbooks.core.cluster.api_object import KINDS
from playbooks.core.outcome import Outcome
from playbooks.testing import an_alert

RBAC = "/apis/rbac.authorization.k8s.io/v1"
BINDINGS = f"{RBAC}/namespaces/shop/rolebindings"


def an_audit(**changes):
    """The creation of a RoleBinding; None takes a field out."""
    fields = {
        "ka.verb": "create",
        "ka.uri": f"{BINDINGS}?fieldManager=kubectl-create",
        "ka.response.code": "201",
        "ka.target.resource": "rolebindings",
        "ka.target.namespace": "shop",
        "ka.target.name": "mine",
        **{f"ka.{key.replace('_', '.')}": value for key, value in changes.items()},
    }
    given = {key: value for key, value in fields.items() if value is not None}
    return an_alert(given, source="k8s_audit")


def read(**changes):
    found = creation.of_alert(an_audit(**changes), KINDS)
    return found.reason if isinstance(found, Outcome) else str(found)


def words(**changes):
    return creation.of_alert(an_audit(**changes), KINDS).message


with description("What an audit alert says was created") as self:
    with it("is an object of the kind in the URI, with its namespace and name"):
        expect(read()).to(equal("rolebinding shop/mine"))
        expect(
            read(
                uri=f"{RBAC}/clusterrolebindings",
                target_resource="clusterrolebindings",
                target_namespace=None,
            )
        ).to(equal("clusterrolebinding mine"))
        expect(
            read(uri="/api/v1/namespaces/shop/serviceaccounts", target_resource="serviceaccounts")
        ).to(equal("serviceaccount shop/mine"))

    with it("has the name of the response where it was generated"):
        expect(read(target_name=None, resp_name="mine-x2x4k")).to(
            equal("rolebinding shop/mine-x2x4k")
        )
        expect(read(target_name=None)).to(equal("unproven"))
        expect(words(target_name=None)).to(contain("RequestResponse"))

    with it("is created by apply, too, which is answered with 201 only where it creates"):
        one = f"{BINDINGS}/mine?fieldManager=me&force=true"

        expect(read(verb="patch", uri=one)).to(equal("rolebinding shop/mine"))
        expect(read(verb="patch", uri=one, response_code="200")).to(equal("not-created"))

    with it("is nothing where the call failed, was another, or a dry run"):
        for changes in (
            {"response_code": "403"},
            {"response_code": "409"},
            {"response_code": "200"},
            {"verb": "delete"},
            {"verb": "get"},
            {"uri": f"{BINDINGS}?dryRun=All"},
            {"uri": f"{BINDINGS}?a=b&dryRun=All&c"},
        ):
            expect(read(**changes)).to(equal("not-created"))

    with it("is nothing of a subresource, which is created by the same verb"):
        token = "/api/v1/namespaces/shop/serviceaccounts/mine/token"

        for changes in (
            {"uri": token, "target_resource": "serviceaccounts", "target_subresource": "token"},
            {"uri": token, "target_resource": "serviceaccounts"},
            {"target_subresource": "status"},
        ):
            expect(read(**changes)).to(equal("not-created"))

    with it("is told by the group of its API, which no other field has"):
        uri = "/apis/acme.example/v1/namespaces/shop/rolebindings"

        expect(read(uri=uri)).to(equal("kind-not-listed"))
        expect(words(uri=uri)).to(contain("rolebindings.acme.example is none of REVOKE_KINDS"))

    with it("is read of a URI that somebody wrote in another way"):
        for uri in (
            f"/{BINDINGS}//",
            BINDINGS.replace("rolebindings", "%72olebindings"),
            f"{BINDINGS}?dryRun=",
        ):
            expect(read(uri=uri)).to(equal("rolebinding shop/mine"))

    with it("has whatever name RBAC takes"):
        for name in ("system:evil", "a b", "\u00fc", "x" * 400):
            expect(read(target_name=name)).to(equal(f"rolebinding shop/{name}"))

    with it("is unproven where fields are missing, and says which"):
        for key in ("verb", "uri", "response_code", "target_resource"):
            expect(read(**{key: None})).to(equal("unproven"))
            expect(read(**{key: "<NA>"})).to(equal("unproven"))
        expect(words(verb=None, uri=None)).to(contain("does not give ka.verb, ka.uri:"))

    with it("is unproven where fields contradict each other, or cannot be names"):
        for changes in (
            {"resp_name": "other"},
            {"resp_name": ["mine"]},
            {"response_code": True},
            {"uri": f"{BINDINGS}/other"},
            {"target_namespace": "kube-system"},
            {"target_resource": "roles"},
            {"uri": "/version"},
            {"uri": "rolebindings"},
            {"target_name": "../secrets/x"},
            {"target_name": "%2e%2e"},
            {"target_name": ".."},
            {"target_name": "x" * 1001},
            {"target_namespace": None, "uri": f"{RBAC}/rolebindings"},
        ):
            expect(read(**changes)).to(equal("unproven"))

    with it("is none of another source"):
        alert = an_alert({"ka.verb": "create"}, source="syscall")

        expect(creation.of_alert(alert, KINDS).reason).to(equal("no-object"))

    with it("is bounded in what it says of what strangers wrote"):
        long = "x" * 10_000
        for changes in (
            {"verb": long},
            {"uri": f"/apis/{long}/v1/rolebindings"},
            {"target_resource": long},
            {"response_code": long},
            {"target_subresource": long},
            {"resp_name": long},
        ):
            expect(len(words(**changes)) < 700).to(equal(True))
