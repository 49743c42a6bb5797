from collections import namedtuple
from contextlib import suppress

from expects import be_empty, contain, equal, expect, have_key, have_keys, start_with
from mamba import before, description, it

from playbooks.core.cluster.manifest import REMOVING
from playbooks.core.errors import (
    Conflict,
    NotFound,
    NotPermitted,
    PlaybookError,
)
from playbooks.deployment.apply.deploy import deploy
from playbooks.deployment.errors import Interrupted
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import a_request, a_slack_request, objects

ALL = [
    "ClusterRole falco-delete.default",
    "ClusterRoleBinding falco-delete.default",
    "ConfigMap falco-delete-admission",
    "ConfigMap falco-delete-ledger",
    "Function falco-delete",
    "NATSTrigger falco-delete-trigger-0",
    "NetworkPolicy falco-delete",
    "Role falco-delete-ledger",
    "Role falco-delete.default",
    "RoleBinding falco-delete-ledger",
    "RoleBinding falco-delete.default",
    "ServiceAccount falco-delete",
]


Answer = namedtuple("Answer", ["done", "warnings"])


def deployed(cluster, wanted=None, check=lambda: None):
    """What was done to which object, and warnings."""
    done = []
    warnings = deploy(
        *(cluster, objects(wanted)),
        check=check,
        sleep=lambda seconds: None,
        progress=lambda verb, shown: done.append((verb, shown)),
    )
    return Answer(done, warnings)


def the_error_of(cluster, wanted=None, check=lambda: None):
    try:
        deployed(cluster, wanted, check)
    except PlaybookError as error:
        return str(error)
    return "no error"


def after_calls(number):
    """A check that raises once so many calls have changed something."""

    def make(cluster):
        def check():
            if len(cluster.changes) >= number:
                raise Interrupted(15, "SIGTERM")

        return check

    return make


def remove_all(cluster):
    """As somebody else does with -x."""
    for manifest in [m for m in cluster.objects.values() if not m["metadata"].get("namespace")]:
        cluster.delete(manifest)
    cluster.delete(cluster.the("Function", "falco-delete"))
    for manifest in list(cluster.objects.values()):
        if manifest["kind"] == "NATSTrigger":
            cluster.delete(manifest)


def failing_once(verb, kind):
    left = [(verb, kind)]

    def before_call(verb, manifest):
        if (verb, manifest["kind"]) in left:
            left.clear()
            raise PlaybookError("timed out")

    return before_call


def contents(cluster):
    """All objects, without what the API server counts up."""
    return {
        key: {**m, "metadata": {k: v for k, v in m["metadata"].items() if k not in COUNTED}}
        for key, m in cluster.objects.items()
    }


COUNTED = ("uid", "resourceVersion")


with description("Deploying") as self:
    with before.each:
        self.cluster = FakeObjects()

    with description("for the first time"):
        with it("makes the function and what it needs"):
            deployed(self.cluster)

            expect(self.cluster.names).to(equal(ALL))

        with it("makes the function first, and its triggers last"):
            deployed(self.cluster)

            order = [name.split()[0] for verb, name in self.cluster.changes]
            expect([order[0], order[-1]]).to(equal(["Function", "NATSTrigger"]))

        with it("makes the function the owner of what lies in its namespace"):
            deployed(self.cluster)

            function = self.cluster.the("Function", "falco-delete")
            owner = {
                "apiVersion": "kubeless.io/v1beta1",
                "kind": "Function",
                "name": "falco-delete",
                "uid": function["metadata"]["uid"],
            }
            for kind in ("ServiceAccount", "NetworkPolicy"):
                found = self.cluster.the(kind, "falco-delete")
                expect(found["metadata"]["ownerReferences"]).to(equal([owner]))

        with it("makes it the owner of nothing elsewhere"):
            deployed(self.cluster, a_request("delete", "-e", "NAMESPACES=shop"))

            role = self.cluster.the("Role", "falco-delete.default")
            expect(role["metadata"]).not_to(have_key("ownerReferences"))

        with it("asks the cluster about all of it before anything is changed"):
            deployed(self.cluster)

            asked = [name for verb, name in self.cluster.calls[: len(ALL)] if "dry-run" in verb]
            expect(sorted(asked)).to(equal(ALL))

        with it("changes nothing when the cluster would refuse a part, and says what"):
            refused = NotPermitted("serviceaccounts is forbidden")
            self.cluster.failures["dry-run create", "ServiceAccount"] = refused

            expect(the_error_of(self.cluster)).to(
                contain("the cluster would refuse it", "serviceaccounts is forbidden")
            )
            expect(self.cluster.changes).to(be_empty)

        with it("goes on where a binding cannot be tried before its role is there"):

            def no_role_yet(verb, manifest):
                if (verb, manifest["kind"]) == ("dry-run create", "ClusterRoleBinding"):
                    raise NotFound("not found")

            self.cluster.before_call = no_role_yet
            deployed(self.cluster)

            expect(self.cluster.names).to(equal(ALL))

        with it("leaves nothing behind when it fails at any object"):
            for kind in sorted({name.split()[0] for name in ALL}):
                cluster = FakeObjects()
                cluster.failures["create", kind] = PlaybookError("timed out")

                expect(the_error_of(cluster)).to(
                    contain("timed out", "rolled back: nothing of the function is left")
                )
                expect(cluster.names).to(be_empty)

        with it("leaves nothing behind when it is interrupted after any step"):
            for number in range(1, len(ALL) + 1):
                cluster = FakeObjects()

                expect(the_error_of(cluster, check=after_calls(number)(cluster))).to(
                    contain("interrupted by SIGTERM", "rolled back")
                )
                expect(cluster.names).to(be_empty)

        with it("says that nothing was changed when it is interrupted before the first step"):
            expect(the_error_of(self.cluster, check=after_calls(0)(self.cluster))).to(
                contain("nothing was changed")
            )

        with it("says what it could not undo"):
            self.cluster.failures["create", "NATSTrigger"] = PlaybookError("timed out")
            self.cluster.failures["delete", "ClusterRole"] = NotPermitted("you may not")

            expect(the_error_of(self.cluster)).to(
                contain("failed in part", "ClusterRole falco-delete.default: you may not")
            )

        with it("undoes what it did when the error is a bug"):

            def broken(verb, manifest):
                if (verb, manifest["kind"]) == ("create", "NATSTrigger"):
                    raise RuntimeError("a bug")

            self.cluster.before_call = broken
            with suppress(RuntimeError):
                deployed(self.cluster)

            expect(self.cluster.names).to(be_empty)

        with it("waits for what a deleted function of that name has left to be collected"):
            deployed(self.cluster)
            function = self.cluster.the("Function", "falco-delete")
            del self.cluster.objects["Function", "default", "falco-delete"]
            looked = []

            def collect(seconds):
                looked.append(seconds)
                self.cluster._collect(function["metadata"]["uid"])

            deploy(self.cluster, objects(), sleep=collect)

            expect(self.cluster.names).to(equal(ALL))
            expect(len(looked)).to(equal(1))

    with description("again"):
        with before.each:
            deployed(self.cluster, a_request(topics=("falco.error.*", "falco.notice.*")))
            self.cluster.calls.clear()
            self.was = contents(self.cluster)

        with it("changes nothing where nothing changed"):
            answer = deployed(self.cluster, a_request(topics=("falco.error.*", "falco.notice.*")))

            expect(self.cluster.calls).to(be_empty)
            expect({verb for verb, name in answer.done}).to(equal({"unchanged"}))

        with it("changes nothing where a controller wrote what means nothing"):
            spec = self.cluster.the("Function", "falco-delete")["spec"]
            spec["horizontalPodAutoscaler"] = {"metadata": {"creationTimestamp": None}}
            spec["deployment"]["status"] = {}
            deployed(self.cluster, a_request(topics=("falco.error.*", "falco.notice.*")))

            expect(self.cluster.calls).to(be_empty)

        with it("writes what changed and nothing else"):
            wanted = a_request("delete", "-e", "V=1", topics=("falco.error.*", "falco.notice.*"))
            deployed(self.cluster, wanted)

            expect(self.cluster.changes).to(equal([("replace", "Function falco-delete")]))

        with it("changes the function after what lies beside it, and before its triggers"):
            deployed(self.cluster, a_request("delete", "-e", "NAMESPACES=shop"))

            order = [name.split()[0] for verb, name in self.cluster.changes]
            expect(order).to(
                equal(
                    [
                        "Role",
                        "RoleBinding",
                        "ConfigMap",
                        "Function",
                        "NATSTrigger",
                        "ClusterRole",
                        "ClusterRoleBinding",
                    ]
                )
            )

        with it("takes a right away that is no longer needed"):
            deployed(self.cluster, a_request("delete", "-e", "NAMESPACES=shop"))

            expect([name for name in self.cluster.names if "Role" in name]).to(
                equal(
                    [
                        "Role falco-delete-ledger",
                        *["Role falco-delete.default"] * 2,
                        "RoleBinding falco-delete-ledger",
                        *["RoleBinding falco-delete.default"] * 2,
                    ]
                )
            )

        with it("removes the triggers of topics that are no longer given"):
            deployed(self.cluster, a_request())

            expect(self.cluster.changes).to(
                equal([("delete", "NATSTrigger falco-delete-trigger-1")])
            )

        with it("removes one that the kubeless CLI made, which has no label of the function"):
            self.cluster.the("NATSTrigger", "falco-delete-trigger-1")["metadata"]["labels"] = {
                "created-by": "kubeless"
            }
            deployed(self.cluster, a_request())

            expect(self.cluster.names).to(equal(ALL))

        with it("leaves the triggers of others alone"):
            other = {
                "apiVersion": "kubeless.io/v1beta1",
                "kind": "NATSTrigger",
                "metadata": {"name": "falco-delete-two-trigger-0", "namespace": "default"},
            }
            self.cluster._store(other, uid="x")
            deployed(self.cluster)

            expect(self.cluster.names).to(contain("NATSTrigger falco-delete-two-trigger-0"))

        with it("makes the trigger of another topic anew, to end its old subscription"):
            old = self.cluster.the("NATSTrigger", "falco-delete-trigger-0")["metadata"]["uid"]
            deployed(self.cluster, a_request(topics=("falco.alert.*", "falco.notice.*")))

            new = self.cluster.the("NATSTrigger", "falco-delete-trigger-0")
            expect(new["spec"]).to(have_keys(topic="falco.alert.*"))
            expect(new["metadata"]["uid"]).not_to(equal(old))
            expect(self.cluster.changes).to(
                equal(
                    [
                        ("delete", "NATSTrigger falco-delete-trigger-0"),
                        ("create", "NATSTrigger falco-delete-trigger-0"),
                    ]
                )
            )

        with it("keeps what others wrote to its objects"):
            function = self.cluster.the("Function", "falco-delete")
            function["metadata"]["finalizers"] = ["kubeless.io/function"]
            function["metadata"]["labels"]["team"] = "red"
            deployed(self.cluster, a_request("delete", "-e", "V=1"))

            expect(self.cluster.the("Function", "falco-delete")["metadata"]).to(
                have_keys(
                    finalizers=["kubeless.io/function"],
                    labels={"created-by": "kubeless", "function": "falco-delete", "team": "red"},
                )
            )

        with it("writes again when somebody else wrote first"):
            conflicts = [Conflict("written since"), Conflict("written since")]

            def conflict(verb, manifest):
                if verb == "replace" and conflicts:
                    raise conflicts.pop()

            self.cluster.before_call = conflict
            deployed(self.cluster, a_request("delete", "-e", "V=1"))

            expect(str(self.cluster.the("Function", "falco-delete"))).to(contain("'name': 'V'"))

        with it("puts everything back when it fails at any object"):
            wanted = a_request("delete", "-e", "NAMESPACES=shop", topics=("falco.alert.*",))
            steps = (("create", "Role"), ("replace", "Function"), ("create", "NATSTrigger"))
            for verb, kind in (*steps, ("delete", "ClusterRole")):
                self.cluster.before_call = failing_once(verb, kind)

                expect(the_error_of(self.cluster, wanted)).to(contain("timed out"))
                expect(contents(self.cluster)).to(equal(self.was))

        with it("puts back what a controller writes at the same time"):
            failing = failing_once("create", "NATSTrigger")
            conflicts = []

            def conflict(verb, manifest):
                if conflicts and verb == "replace":
                    raise conflicts.pop()
                try:
                    failing(verb, manifest)
                except PlaybookError:
                    conflicts.extend([Conflict("written since"), Conflict("written since")])
                    raise

            self.cluster.before_call = conflict
            wanted = a_request("delete", "-e", "V=1", topics=("falco.error.*", "falco.alert.*"))

            expect(the_error_of(self.cluster, wanted)).to(contain("as it was before"))
            expect(contents(self.cluster)).to(equal(self.was))
            expect(conflicts).to(be_empty)

        with it("puts everything back when it is interrupted after any step"):
            wanted = a_request("delete", "-e", "NAMESPACES=shop", topics=("falco.alert.*",))
            for number in range(1, 9):
                self.cluster.calls.clear()
                check = after_calls(number)(self.cluster)

                expect(the_error_of(self.cluster, wanted, check)).to(contain("as it was before"))
                expect(contents(self.cluster)).to(equal(self.was))

        with it("puts nothing back, and says so, where somebody removed the function meanwhile"):

            def removed(verb, manifest):
                if (verb, manifest["kind"]) == ("create", "NATSTrigger"):
                    remove_all(self.cluster)
                    raise NotFound("the function is not there")

            self.cluster.before_call = removed
            wanted = a_request("delete", "-e", "V=1", topics=("falco.alert.*",))

            said = the_error_of(self.cluster, wanted)
            expect(said).to(contain("somebody else removed Function default/falco-delete: nothing"))
            expect(said).not_to(contain("as it was before"))
            expect(self.cluster.names).to(be_empty)

        with it("puts nothing back where somebody else's removal has begun"):

            def removed(verb, manifest):
                if (verb, manifest["kind"]) == ("create", "NATSTrigger"):
                    mark = {"metadata": {"annotations": {REMOVING: "now"}}}
                    self.cluster.patch(self.cluster.the("Function", "falco-delete"), mark)
                    raise NotFound("its account is gone")

            self.cluster.before_call = removed
            wanted = a_request("delete", "-e", "V=1", topics=("falco.alert.*",))

            said = the_error_of(self.cluster, wanted)
            expect(said).to(contain("somebody else removed Function default/falco-delete: nothing"))
            since = self.cluster.changes.index(("patch", "Function falco-delete"))
            expect({verb for verb, _ in self.cluster.changes[since + 1 :]}).to(equal({"delete"}))

        with it("fails where somebody removed the function after its last step"):
            for mark in (False, True):
                cluster = FakeObjects()
                deployed(cluster)

                def check(cluster=cluster, mark=mark):
                    if cluster.changes[-1] == ("create", "NATSTrigger falco-delete-trigger-1"):
                        cluster.finalizer = mark
                        remove_all(cluster)

                wanted = a_request(topics=("falco.error.*", "falco.alert.*"))
                said = the_error_of(cluster, wanted, check)
                expect(said).to(contain("Function default/falco-delete was removed meanwhile"))

    with it("removes its Secret when the setting now comes from another one"):
        deployed(self.cluster, a_slack_request())
        deployed(self.cluster, a_request("slack", "-s", "SLACK_WEBHOOK_URL=hooks/url"))

        expect([name for name in self.cluster.names if "Secret" in name]).to(be_empty)

    with it("takes over what kubectl applied before, and makes it the function's own"):
        cluster = FakeObjects(*objects().in_order)
        answer = deployed(cluster)

        expect(answer.done).to(contain(("changed", "ServiceAccount default/falco-delete")))
        expect(cluster.the("ServiceAccount", "falco-delete")["metadata"]).to(
            have_key("ownerReferences")
        )

    with it("refuses to touch an object of that name that is not ours"):
        account = objects().accessories[0]
        cluster = FakeObjects({**account, "metadata": {**account["metadata"], "labels": {}}})

        expect(the_error_of(cluster)).to(
            contain("ServiceAccount default/falco-delete is there and is not ours")
        )
        expect(cluster.changes).to(be_empty)

    with it("refuses while the function is still being deleted"):
        deployed(self.cluster)
        metadata = self.cluster.the("Function", "falco-delete")["metadata"]
        metadata["deletionTimestamp"] = "2026-11-21T09:00:00Z"

        expect(the_error_of(self.cluster)).to(contain("is being deleted: deploy again"))

    with it("goes on while a role that somebody elsewhere labelled as its own is being deleted"):
        deployed(self.cluster)
        role = self.cluster.the("Role", "falco-delete.default")
        metadata = {**role["metadata"], "name": "evil", "namespace": "evil", "finalizers": ["a/b"]}
        metadata["deletionTimestamp"] = "2026-11-21T09:00:00Z"
        self.cluster._store({**role, "metadata": metadata}, uid="evil")

        expect(the_error_of(self.cluster)).to(equal("no error"))

    with it("does not wait for ever for a trigger that nobody finalizes"):
        deployed(self.cluster)
        self.cluster.finalizer = True

        expect(the_error_of(self.cluster, a_request(topics=("falco.alert.*",)))).to(
            contain("is still being deleted; its finalizer remains")
        )

    with it("warns where roles of earlier deployments cannot be listed"):
        cluster = FakeObjects()
        cluster.failures["clusterrolebindings.rbac.authorization.k8s.io"] = NotPermitted(
            "you may not"
        )

        expect(deployed(cluster).warnings[0]).to(
            start_with("could not look for roles that were left behind: you may not (")
        )
