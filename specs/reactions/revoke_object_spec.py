import json
from unittest.mock import patch

from expects import be_empty, be_none, contain, equal, expect, have_key, have_len, raise_error
from mamba import before, description, it

from playbooks.core.cluster.api_object import ApiObject, kind_of
from playbooks.core.containment.revocation import REVOKED, Revocation, note
from playbooks.core.containment.undo import Undo
from playbooks.core.errors import ClusterUnavailable, InvalidSetting, NotPermitted
from playbooks.core.outcome import Status
from playbooks.reactions.revoke_object import RevokeObject, kinds
from playbooks.revoke import playbook
from playbooks.testing import (
    InMemoryCluster,
    a_namespace,
    an_alert,
    some_collaborators,
)

RBAC = "rbac.authorization.k8s.io"


def a_binding(name="mine", *, namespace="shop", kind="RoleBinding", **metadata):
    """Created when the alert says so."""
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "uid": "u-1",
            "creationTimestamp": "2026-01-02T03:00:00Z",
            **place,
            **metadata,
        },
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": "mallory"}],
    }


def an_audit(found, **changes):
    kind = kind_of(found["kind"])
    metadata = found["metadata"]
    namespace = metadata.get("namespace", "")
    fields = {
        "ka.verb": "create",
        "ka.uri": f"/{'/'.join(kind.path(namespace))}",
        "ka.response.code": "201",
        "ka.user.name": "mallory",
        "ka.target.resource": kind.resource,
        "ka.target.namespace": namespace,
        "ka.target.name": metadata["name"],
    }
    return an_alert(fields, source="k8s_audit", **changes)


with description("Revoking an object") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_namespace("shop"))

    def answer(self, found, alert=None, there=True, **settings):
        if there:
            self.cluster.put(found)
        asked = playbook.responder(settings, some_collaborators(self.cluster))
        return asked.answer(alert or an_audit(found))

    def left(self, kind="RoleBinding"):
        return [found["metadata"]["name"] for found in self.cluster.objects(kind)]

    with it("deletes what the alert says was created, and says how to create it again"):
        outcome = self.answer(a_binding())

        expect(self.left()).to(be_empty)
        expect([outcome.status, outcome.reason]).to(equal([Status.ACTED, "revoked"]))
        expect(outcome.message).to(equal("deleted rolebinding shop/mine"))
        expect(outcome.details["undo"]).to(equal("falco-playbook undo rolebinding/mine -n shop -A"))
        expect(outcome.target_ref.kind).to(equal("RoleBinding"))
        expect(outcome.target_ref.api).to(equal(f"{RBAC}/v1"))

    with it("names it such that a shell takes the name for one word"):
        found = a_binding("mine -n kube-system; x")

        expect(self.answer(found).details["undo"]).to(
            equal("falco-playbook undo 'rolebinding/mine -n kube-system; x' -n shop -A")
        )

    with it("deletes what belongs to no namespace"):
        found = a_binding(kind="ClusterRoleBinding", namespace="")
        outcome = self.answer(found)

        expect(outcome.reason).to(equal("revoked"))
        expect(self.left("ClusterRoleBinding")).to(be_empty)

    with it("leaves an object of another second, which is another one"):
        for created in ("2026-01-02T02:59:58Z", "2026-01-02T03:00:01Z"):
            outcome = self.answer(a_binding(creationTimestamp=created))

            expect(outcome.reason).to(equal("not-the-same-object"))
        expect(self.left()).to(equal(["mine"]))

    with it("takes one that was created just before the second of the answer"):
        outcome = self.answer(a_binding(creationTimestamp="2026-01-02T02:59:59Z"))

        expect(outcome.reason).to(equal("revoked"))

    with it("says that it is gone, or being deleted"):
        gone = self.answer(a_binding(), there=False)
        ends = {"deletionTimestamp": "2026-01-02T03:00:01Z", "finalizers": ["acme/wait"]}

        expect(gone.reason).to(equal("object-gone"))
        expect(self.answer(a_binding(**ends)).reason).to(equal("terminating"))

    with it("says that an object with finalizers is in force until they are taken off"):
        outcome = self.answer(a_binding(finalizers=["acme/wait"]))

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(outcome.message).to(
            contain("in force, until its finalizers are taken off (acme/wait)")
        )

    with it("is verified by looking whether it is gone, or another has its name"):
        binding = a_binding()
        self.cluster.put(binding)
        reaction = playbook.build(
            {"REVOKE_KINDS": kinds("RoleBinding")}, some_collaborators(self.cluster)
        )
        action = reaction.plan(an_audit(binding))

        expect(reaction.verify(action).holds).to(equal(False))
        action.carry_out()
        expect(reaction.verify(action).holds).to(equal(True))
        self.cluster.put(a_binding(uid="u-9"))
        expect(reaction.verify(action).holds).to(equal(True))

    with it("deletes only kinds that are listed"):
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": a_binding()["metadata"],
        }

        expect(self.answer(account).reason).to(equal("kind-not-listed"))
        expect(self.answer(account, REVOKE_KINDS="ServiceAccount").reason).to(equal("revoked"))

    with it("holds for a person what the cluster makes of itself, what is of kube-system, or ours"):
        for found in (
            a_binding(labels={"kubernetes.io/bootstrapping": "rbac-defaults"}),
            a_binding(labels={"addonmanager.kubernetes.io/mode": "Reconcile"}),
            a_binding(labels={"falco/ledger": "true"}),
            a_binding(namespace="kube-system"),
            a_binding(namespace="playbooks"),
            a_binding("falco-delete.playbooks", kind="ClusterRoleBinding", namespace=""),
            a_binding("falco-playbook-worker", kind="ClusterRoleBinding", namespace=""),
        ):
            outcome = self.answer(found, PROTECTED_NAMESPACES="")

            expect([outcome.reason, outcome.held]).to(equal(["protected-object", True]))
        expect(self.cluster.writes).to(be_empty)

    with it("is held to the guards: namespaces, exemptions, budgets, dry runs"):
        binding, of_cluster = a_binding(), a_binding(kind="ClusterRoleBinding", namespace="")

        expect(self.answer(binding, PROTECTED_NAMESPACES="shop").reason).to(
            equal("protected-namespace")
        )
        expect(self.answer(binding, NAMESPACES="till").reason).to(equal("namespace-not-listed"))
        expect(self.answer(of_cluster, NAMESPACES="shop").reason).to(equal("namespace-not-listed"))
        expect(self.answer(binding, DRY_RUN="true").status).to(equal(Status.WOULD_ACT))
        exempt = {"falco/exempt": "revoke", "falco/exempt-until": "2026-01-02T04:00:00Z"}
        self.cluster.put(a_namespace("shop", annotations=exempt))
        expect(self.answer(binding).reason).to(equal("exempt"))
        self.cluster.put(a_namespace("shop"))
        expect(self.answer(binding, NAMESPACES="shop").reason).to(equal("revoked"))
        second = self.answer(a_binding("other", uid="u-2"), MAX_ACTIONS="1")
        expect(second.reason).to(equal("budget-used-up"))

    with it("leaves nothing in the ledger where the object could not be deleted"):
        self.cluster.failures["delete_object"] = [ClusterUnavailable("away")]
        outcome = self.answer(a_binding())

        expect(outcome.reason).to(equal("cluster-unavailable"))
        expect(self.left()).to(equal(["mine"]))

    with it("is tried by check with objects that it deletes, and no others"):
        (changes,) = RevokeObject.CHANGES

        expect(changes.allowed(a_binding(), {})["preconditions"]).to(equal({"uid": "u-1"}))
        for label in ("kubernetes.io/bootstrapping", "falco/ledger"):
            expect(changes.allowed(a_binding(labels={label: "x"}), {})).to(be_none)

    with it("takes no kind that it does not know"):
        for text in ("", "Pod", "RoleBinding,Pod"):
            expect(lambda text=text: playbook.responder({"REVOKE_KINDS": text})).to(
                raise_error(InvalidSetting, contain("one or more of RoleBinding"))
            )

    with description("and undoing that"):

        def undo(self, name="mine", namespace="shop", kind="rolebinding"):
            self.exempted = []
            asked = Undo(
                Revocation,
                self.cluster,
                [self.cluster.ledger],
                lambda uid, what: self.exempted.append((uid, what)),
            )
            return asked.undo(name, namespace=namespace, kind=kind)

        with it("creates it again as it was, and leaves the new one alone"):
            binding = a_binding(labels={"team": "a"}, resourceVersion="7", managedFields=[{}])
            self.answer(binding)
            outcome = self.undo()
            (again,) = self.cluster.objects("RoleBinding")

            expect(outcome.reason).to(equal("undone"))
            expect(again["subjects"]).to(equal(binding["subjects"]))
            expect(again["metadata"]["labels"]).to(equal({"team": "a"}))
            expect(again["metadata"]["uid"]).not_to(equal("u-1"))
            expect(again["metadata"]).not_to(have_key("managedFields"))
            expect(self.exempted).to(equal([(again["metadata"]["uid"], "rolebinding shop/mine")]))
            expect(self.cluster.ledger.contained()).to(equal({}))

        with it("says that it is there already, or that another has its name"):
            self.answer(a_binding())
            self.undo()
            expect(self.undo().reason).to(equal("nothing-to-undo"))
            self.answer(a_binding("other"))
            self.cluster.put(a_binding("other", uid="u-9"))
            outcome = self.undo("other")
            expect(outcome.reason).to(equal("replaced"))
            expect(outcome.message).to(contain("there is one of that name"))
            expect(self.cluster.ledger.contained()).to(have_len(1))

        with it("says of what is not there that no ledger has it, which is no success"):
            outcome = self.undo("misspelled")

            expect(outcome.reason).to(equal("not-in-ledger"))
            expect(outcome.message).to(
                contain("rolebinding shop/misspelled", "no ledger has its manifest: nothing is")
            )

        with it("says so also where it may not be read whether it is there"):
            with patch.object(self.cluster, "object", side_effect=NotPermitted("you may not")):
                expect(self.undo().reason).to(equal("not-in-ledger"))

        with it("cannot be done of a Secret, whose values are kept nowhere, nor of what is huge"):
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": a_binding()["metadata"],
                "data": {"a": "S3cret"},
            }
            huge = a_binding("big", uid="u-2")
            noise = [f"{n * 7919 % 1000003:x}{n * n % 99991:x}" for n in range(2000)]
            huge["subjects"] = [{"kind": "User", "name": name} for name in noise]
            for found in (secret, huge):
                outcome = self.answer(found, REVOKE_KINDS="Secret,RoleBinding")

                expect(outcome.message).to(contain("it cannot be created again"))
                expect(outcome.details).not_to(have_key("undo"))
            expect(self.cluster.store.read()[0]).not_to(contain(REVOKED))

        with it("trusts no note to say what it creates"):
            found = ApiObject(kind_of("rolebinding"), a_binding("other", namespace="kube-system"))
            self.answer(a_binding())
            (known,) = self.cluster.ledger.contained().values()
            forged = {**known.to_dict(), "notes": {REVOKED: note(found)}}
            book = json.loads(self.cluster.store.read()[0])
            book["contained"] = {"u-1": forged}
            self.cluster.store.write(json.dumps(book), version=self.cluster.store.read()[1])
            self.undo()

            expect(
                [
                    (m["metadata"]["namespace"], m["metadata"]["name"])
                    for m in self.cluster.objects("RoleBinding")
                ]
            ).to(equal([("shop", "mine")]))
