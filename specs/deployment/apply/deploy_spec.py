from contextlib import suppress

from expects import be_empty, contain, equal, expect, have_key, have_keys
from mamba import before, description, it

from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply.deploy import deploy
from playbooks.deployment.errors import Interrupted
from playbooks.deployment.kubectl import Conflicting, Forbidden, KubectlError, NotThere
from specs.deployment.fake_kubectl import FakeKubectl
from specs.deployment.mothers import a_request, a_slack_request, objects

ALL = [
    "ClusterRole falco-delete.default",
    "ClusterRoleBinding falco-delete.default",
    "ConfigMap falco-delete-ledger",
    "Function falco-delete",
    "NATSTrigger falco-delete-trigger-0",
    "NetworkPolicy falco-delete",
    "Role falco-delete-ledger",
    "RoleBinding falco-delete-ledger",
    "ServiceAccount falco-delete",
]


def deployed(kubectl, wanted=None, check=lambda: None):
    return deploy(kubectl, objects(wanted), check=check, sleep=lambda seconds: None)


def the_error_of(kubectl, wanted=None, check=lambda: None):
    try:
        deployed(kubectl, wanted, check)
    except PlaybookError as error:
        return str(error)
    return "no error"


def after_calls(number):
    """A check that raises once so many calls have changed something."""

    def make(kubectl):
        def check():
            if len(kubectl.changes) >= number:
                raise Interrupted(15, "SIGTERM")

        return check

    return make


def failing_once(verb, kind):
    left = [(verb, kind)]

    def before_call(verb, manifest):
        if (verb, manifest["kind"]) in left:
            left.clear()
            raise KubectlError("timed out")

    return before_call


def contents(kubectl):
    """All objects, without what the API server counts up."""
    return {
        key: {**m, "metadata": {k: v for k, v in m["metadata"].items() if k not in COUNTED}}
        for key, m in kubectl.objects.items()
    }


COUNTED = ("uid", "resourceVersion")


with description("Deploying") as self:
    with before.each:
        self.kubectl = FakeKubectl()

    with description("for the first time"):
        with it("makes the function and what it needs"):
            deployed(self.kubectl)

            expect(self.kubectl.names).to(equal(ALL))

        with it("makes the function first, and its triggers last"):
            deployed(self.kubectl)

            order = [name.split()[0] for verb, name in self.kubectl.changes]
            expect([order[0], order[-1]]).to(equal(["Function", "NATSTrigger"]))

        with it("makes the function the owner of what lies in its namespace"):
            deployed(self.kubectl)

            function = self.kubectl.the("Function", "falco-delete")
            owner = {
                "apiVersion": "kubeless.io/v1beta1",
                "kind": "Function",
                "name": "falco-delete",
                "uid": function["metadata"]["uid"],
            }
            for kind in ("ServiceAccount", "NetworkPolicy"):
                found = self.kubectl.the(kind, "falco-delete")
                expect(found["metadata"]["ownerReferences"]).to(equal([owner]))

        with it("makes it the owner of nothing elsewhere"):
            deployed(self.kubectl, a_request("delete", "-e", "NAMESPACES=shop"))

            role = self.kubectl.the("Role", "falco-delete.default")
            expect(role["metadata"]).not_to(have_key("ownerReferences"))

        with it("asks the cluster about all of it before anything is changed"):
            deployed(self.kubectl)

            asked = [name for verb, name in self.kubectl.calls[: len(ALL)] if "dry-run" in verb]
            expect(sorted(asked)).to(equal(ALL))

        with it("changes nothing when the cluster would refuse a part, and says what"):
            refused = Forbidden("serviceaccounts is forbidden")
            self.kubectl.failures["dry-run create", "ServiceAccount"] = refused

            expect(the_error_of(self.kubectl)).to(
                contain("the cluster would refuse it", "serviceaccounts is forbidden")
            )
            expect(self.kubectl.changes).to(be_empty)

        with it("goes on where a binding cannot be tried before its role is there"):

            def no_role_yet(verb, manifest):
                if (verb, manifest["kind"]) == ("dry-run create", "ClusterRoleBinding"):
                    raise NotThere("not found")

            self.kubectl.before_call = no_role_yet
            deployed(self.kubectl)

            expect(self.kubectl.names).to(equal(ALL))

        with it("leaves nothing behind when it fails at any object"):
            for kind in sorted({name.split()[0] for name in ALL}):
                kubectl = FakeKubectl()
                kubectl.failures["create", kind] = KubectlError("timed out")

                expect(the_error_of(kubectl)).to(contain("timed out", "is undone"))
                expect(kubectl.names).to(be_empty)

        with it("leaves nothing behind when it is interrupted after any step"):
            for number in range(1, len(ALL) + 1):
                kubectl = FakeKubectl()

                expect(the_error_of(kubectl, check=after_calls(number)(kubectl))).to(
                    contain("interrupted by SIGTERM", "is undone")
                )
                expect(kubectl.names).to(be_empty)

        with it("says that nothing was changed when it is interrupted before the first step"):
            expect(the_error_of(self.kubectl, check=after_calls(0)(self.kubectl))).to(
                contain("nothing was changed")
            )

        with it("says what it could not undo"):
            self.kubectl.failures["create", "NATSTrigger"] = KubectlError("timed out")
            self.kubectl.failures["delete", "ClusterRole"] = Forbidden("you may not")

            expect(the_error_of(self.kubectl)).to(
                contain("failed in part", "ClusterRole falco-delete.default: you may not")
            )

        with it("undoes what it did when the error is a bug"):

            def broken(verb, manifest):
                if (verb, manifest["kind"]) == ("create", "NATSTrigger"):
                    raise RuntimeError("a bug")

            self.kubectl.before_call = broken
            with suppress(RuntimeError):
                deployed(self.kubectl)

            expect(self.kubectl.names).to(be_empty)

        with it("waits for what a deleted function of that name has left to be collected"):
            deployed(self.kubectl)
            function = self.kubectl.the("Function", "falco-delete")
            del self.kubectl.objects["Function", "default", "falco-delete"]
            looked = []

            def collect(seconds):
                looked.append(seconds)
                self.kubectl._collect(function["metadata"]["uid"])

            deploy(self.kubectl, objects(), sleep=collect)

            expect(self.kubectl.names).to(equal(ALL))
            expect(len(looked)).to(equal(1))

    with description("again"):
        with before.each:
            deployed(self.kubectl, a_request(topics=("falco.error.*", "falco.notice.*")))
            self.kubectl.calls.clear()
            self.was = contents(self.kubectl)

        with it("changes nothing where nothing changed"):
            answer = deployed(self.kubectl, a_request(topics=("falco.error.*", "falco.notice.*")))

            expect(self.kubectl.calls).to(be_empty)
            expect({verb for verb, name in answer.report}).to(equal({"unchanged"}))

        with it("changes nothing where a controller wrote what means nothing"):
            spec = self.kubectl.the("Function", "falco-delete")["spec"]
            spec["horizontalPodAutoscaler"] = {"metadata": {"creationTimestamp": None}}
            spec["deployment"]["status"] = {}
            deployed(self.kubectl, a_request(topics=("falco.error.*", "falco.notice.*")))

            expect(self.kubectl.calls).to(be_empty)

        with it("writes what changed and nothing else"):
            wanted = a_request("delete", "-e", "V=1", topics=("falco.error.*", "falco.notice.*"))
            deployed(self.kubectl, wanted)

            expect(self.kubectl.changes).to(equal([("replace", "Function falco-delete")]))

        with it("changes the function after what lies beside it, and before its triggers"):
            deployed(self.kubectl, a_request("delete", "-e", "NAMESPACES=shop"))

            order = [name.split()[0] for verb, name in self.kubectl.changes]
            expect(order).to(
                equal(
                    [
                        "Role",
                        "RoleBinding",
                        "Function",
                        "NATSTrigger",
                        "ClusterRole",
                        "ClusterRoleBinding",
                    ]
                )
            )

        with it("takes a right away that is no longer needed"):
            deployed(self.kubectl, a_request("delete", "-e", "NAMESPACES=shop"))

            expect([name for name in self.kubectl.names if "Role" in name]).to(
                equal(
                    [
                        "Role falco-delete-ledger",
                        "Role falco-delete.default",
                        "RoleBinding falco-delete-ledger",
                        "RoleBinding falco-delete.default",
                    ]
                )
            )

        with it("removes the triggers of topics that are no longer given"):
            deployed(self.kubectl, a_request())

            expect(self.kubectl.changes).to(
                equal([("delete", "NATSTrigger falco-delete-trigger-1")])
            )

        with it("removes one that the kubeless CLI made, which has no label of the function"):
            self.kubectl.the("NATSTrigger", "falco-delete-trigger-1")["metadata"]["labels"] = {
                "created-by": "kubeless"
            }
            deployed(self.kubectl, a_request())

            expect(self.kubectl.names).to(equal(ALL))

        with it("leaves the triggers of others alone"):
            other = {
                "apiVersion": "kubeless.io/v1beta1",
                "kind": "NATSTrigger",
                "metadata": {"name": "falco-delete-two-trigger-0", "namespace": "default"},
            }
            self.kubectl._store(other, uid="x")
            deployed(self.kubectl)

            expect(self.kubectl.names).to(contain("NATSTrigger falco-delete-two-trigger-0"))

        with it("makes the trigger of another topic anew, to end its old subscription"):
            old = self.kubectl.the("NATSTrigger", "falco-delete-trigger-0")["metadata"]["uid"]
            deployed(self.kubectl, a_request(topics=("falco.alert.*", "falco.notice.*")))

            new = self.kubectl.the("NATSTrigger", "falco-delete-trigger-0")
            expect(new["spec"]).to(have_keys(topic="falco.alert.*"))
            expect(new["metadata"]["uid"] == old).to(equal(False))
            expect(self.kubectl.changes).to(
                equal(
                    [
                        ("delete", "NATSTrigger falco-delete-trigger-0"),
                        ("create", "NATSTrigger falco-delete-trigger-0"),
                    ]
                )
            )

        with it("keeps what others wrote to its objects"):
            function = self.kubectl.the("Function", "falco-delete")
            function["metadata"]["finalizers"] = ["kubeless.io/function"]
            function["metadata"]["labels"]["team"] = "red"
            deployed(self.kubectl, a_request("delete", "-e", "V=1"))

            expect(self.kubectl.the("Function", "falco-delete")["metadata"]).to(
                have_keys(
                    finalizers=["kubeless.io/function"],
                    labels={"created-by": "kubeless", "function": "falco-delete", "team": "red"},
                )
            )

        with it("writes again when somebody else wrote first"):
            conflicts = [Conflicting("written since"), Conflicting("written since")]

            def conflict(verb, manifest):
                if verb == "replace" and conflicts:
                    raise conflicts.pop()

            self.kubectl.before_call = conflict
            deployed(self.kubectl, a_request("delete", "-e", "V=1"))

            expect(str(self.kubectl.the("Function", "falco-delete"))).to(contain("'name': 'V'"))

        with it("puts everything back when it fails at any object"):
            wanted = a_request("delete", "-e", "NAMESPACES=shop", topics=("falco.alert.*",))
            steps = (("create", "Role"), ("replace", "Function"), ("create", "NATSTrigger"))
            for verb, kind in (*steps, ("delete", "ClusterRole")):
                self.kubectl.before_call = failing_once(verb, kind)

                expect(the_error_of(self.kubectl, wanted)).to(contain("timed out"))
                expect(contents(self.kubectl)).to(equal(self.was))

        with it("puts everything back when it is interrupted after any step"):
            wanted = a_request("delete", "-e", "NAMESPACES=shop", topics=("falco.alert.*",))
            for number in range(1, 9):
                self.kubectl.calls.clear()
                check = after_calls(number)(self.kubectl)

                expect(the_error_of(self.kubectl, wanted, check)).to(contain("as it was before"))
                expect(contents(self.kubectl)).to(equal(self.was))

    with it("removes its Secret when the setting now comes from another one"):
        deployed(self.kubectl, a_slack_request())
        deployed(self.kubectl, a_request("slack", "-s", "SLACK_WEBHOOK_URL=hooks/url"))

        expect([name for name in self.kubectl.names if "Secret" in name]).to(be_empty)

    with it("takes over what kubectl applied before, and makes it the function's own"):
        kubectl = FakeKubectl(*objects().in_order)
        answer = deployed(kubectl)

        expect(answer.report).to(contain(("changed", "ServiceAccount default/falco-delete")))
        expect(kubectl.the("ServiceAccount", "falco-delete")["metadata"]).to(
            have_key("ownerReferences")
        )

    with it("refuses to touch an object of that name that is not ours"):
        account = objects().accessories[0]
        kubectl = FakeKubectl({**account, "metadata": {**account["metadata"], "labels": {}}})

        expect(the_error_of(kubectl)).to(
            contain("ServiceAccount default/falco-delete is there and is not ours")
        )
        expect(kubectl.changes).to(be_empty)

    with it("refuses while the function is still being deleted"):
        deployed(self.kubectl)
        metadata = self.kubectl.the("Function", "falco-delete")["metadata"]
        metadata["deletionTimestamp"] = "2026-11-21T09:00:00Z"

        expect(the_error_of(self.kubectl)).to(contain("is being deleted: deploy again"))

    with it("does not wait for ever for a trigger that nobody finalizes"):
        deployed(self.kubectl)
        self.kubectl.finalizer = True

        expect(the_error_of(self.kubectl, a_request(topics=("falco.alert.*",)))).to(
            contain("is marked for deletion and does not go")
        )

    with it("warns where roles of earlier deployments cannot be listed"):
        kubectl = FakeKubectl()
        kubectl.failures["clusterrolebindings.rbac.authorization.k8s.io"] = Forbidden("you may not")

        expect(deployed(kubectl).warnings).to(
            equal(["could not look for roles that were left behind: you may not"])
        )
