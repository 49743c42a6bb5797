from expects import be_empty, be_false, be_true, contain, equal, expect, have_keys, raise_error
from mamba import before, description, it

from playbooks.engines.local.standin.kinds import BY_NAME
from playbooks.engines.local.standin.objects import Objects, merged
from playbooks.engines.local.standin.status import ApiError

POD, NODE, POLICY = BY_NAME["Pod"], BY_NAME["Node"], BY_NAME["NetworkPolicy"]


def a_manifest(name="web-0", namespace="shop", **changes):
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}", **changes},
        "spec": {"nodeName": "node-1"},
    }


def refused(call):
    try:
        call()
    except ApiError as error:
        return error
    raise AssertionError("nothing was refused")


with description("The objects of the stand-in") as self:
    with before.each:
        self.objects = Objects()
        self.objects.put(a_manifest())

    def version(self):
        return self.objects.read(POD, "shop", "web-0")["metadata"]["resourceVersion"]

    with it("are read as they were put, with a resourceVersion"):
        found = self.objects.read(POD, "shop", "web-0")

        expect(found["metadata"]["uid"]).to(equal("uid-of-web-0"))
        expect(found["metadata"]).to(have_keys("resourceVersion", "creationTimestamp"))

    with it("are not found under another name or namespace"):
        expect(refused(lambda: self.objects.read(POD, "shop", "web-1")).code).to(equal(404))
        expect(refused(lambda: self.objects.read(POD, "bank", "web-0")).code).to(equal(404))

    with it("are copies that nobody can change"):
        self.objects.read(POD, "shop", "web-0")["spec"]["nodeName"] = "elsewhere"

        expect(self.objects.read(POD, "shop", "web-0")["spec"]["nodeName"]).to(equal("node-1"))

    with it("are put once, even when they were deleted since"):
        expect(self.objects.put(a_manifest(uid="another"))).to(be_false)
        self.objects.delete(POD, "shop", "web-0", {})

        expect(self.objects.put(a_manifest())).to(be_false)
        expect(self.objects.ever(POD)).to(equal([("shop", "web-0")]))

    with it("are not put where they were left out"):
        self.objects.leave_out(a_manifest("ghost"))

        expect(self.objects.put(a_manifest("ghost"))).to(be_false)

    with it("are listed across namespaces, in one, and by a field"):
        self.objects.put(a_manifest("db-0", "bank"))
        self.objects.put({**a_manifest("web-1"), "spec": {"nodeName": "node-2"}})
        names = [each["metadata"]["name"] for each in self.objects.all(POD)]

        expect(names).to(equal(["db-0", "web-0", "web-1"]))
        expect(self.objects.all(POD, "bank")).to(contain(self.objects.read(POD, "bank", "db-0")))
        found = self.objects.all(POD, field_selector="spec.nodeName=node-2")
        expect([each["metadata"]["name"] for each in found]).to(equal(["web-1"]))

    with it("refuse a field selector that they do not know"):
        expect(refused(lambda: self.objects.all(POD, field_selector="a!=b")).code).to(equal(400))

    with description("when deleted"):
        with it("are gone"):
            self.objects.delete(POD, "shop", "web-0", {"preconditions": {"uid": "uid-of-web-0"}})

            expect(self.objects.all(POD)).to(be_empty)

        with it("are kept where the uid is another"):
            error = refused(
                lambda: self.objects.delete(POD, "shop", "web-0", {"preconditions": {"uid": "x"}})
            )

            expect(error.code).to(equal(409))
            expect(str(error)).to(contain("UID in precondition: x, UID in object meta: uid-of"))

        with it("are kept, terminating, where a finalizer holds them"):
            self.objects.put(a_manifest("held", finalizers=["somebody/else"]))
            self.objects.delete(POD, "shop", "held", {})

            found = self.objects.read(POD, "shop", "held")["metadata"]
            expect(found).to(have_keys("deletionTimestamp"))

    with description("when patched"):
        with it("are merged, and get a new resourceVersion"):
            old = self.version()
            self.objects.patch(POD, "shop", "web-0", {"metadata": {"labels": {"a": "b"}}})

            expect(self.objects.read(POD, "shop", "web-0")["metadata"]["labels"]).to(
                equal({"a": "b"})
            )
            expect(self.version() != old).to(be_true)

        with it("keep their resourceVersion where nothing changes"):
            old = self.version()
            self.objects.patch(POD, "shop", "web-0", {"spec": {"nodeName": "node-1"}})

            expect(self.version()).to(equal(old))

        with it("refuse an old resourceVersion"):
            old = self.version()
            self.objects.patch(POD, "shop", "web-0", {"metadata": {"labels": {"a": "b"}}})
            body = {"metadata": {"resourceVersion": old, "labels": {"c": "d"}}}

            error = refused(lambda: self.objects.patch(POD, "shop", "web-0", body))
            expect([error.code, error.reason]).to(equal([409, "Conflict"]))

        with it("refuse another uid"):
            body = {"metadata": {"uid": "another"}}

            expect(refused(lambda: self.objects.patch(POD, "shop", "web-0", body)).code).to(
                equal(422)
            )

    with description("when created"):
        with it("get a uid of their own"):
            made = self.objects.create(POLICY, "shop", {"metadata": {"name": "deny"}})

            expect(made["metadata"]).to(have_keys("uid", "resourceVersion", namespace="shop"))

        with it("refuse a name that is there"):
            self.objects.create(POLICY, "shop", {"metadata": {"name": "deny"}})
            again = refused(
                lambda: self.objects.create(POLICY, "shop", {"metadata": {"name": "deny"}})
            )

            expect([again.code, again.reason]).to(equal([409, "AlreadyExists"]))
            expect(str(again)).to(equal('networkpolicies.networking.k8s.io "deny" already exists'))

        with it("refuse to have no name"):
            expect(refused(lambda: self.objects.create(POLICY, "shop", {})).code).to(equal(422))

    with description("when replaced"):
        with it("keep their uid, and lose what is not given"):
            self.objects.create(POLICY, "shop", {"metadata": {"name": "deny"}, "spec": {"a": 1}})
            old = self.objects.read(POLICY, "shop", "deny")["metadata"]
            self.objects.replace(POLICY, "shop", "deny", {"metadata": {"name": "deny"}})
            new = self.objects.read(POLICY, "shop", "deny")

            expect(new["metadata"]["uid"]).to(equal(old["uid"]))
            expect("spec" in new).to(be_false)

        with it("refuse an old resourceVersion"):
            body = {"metadata": {"name": "web-0", "resourceVersion": "0"}}

            expect(refused(lambda: self.objects.replace(POD, "shop", "web-0", body)).code).to(
                equal(409)
            )

    with it("include nodes, which are in no namespace"):
        self.objects.put({"kind": "Node", "metadata": {"name": "node-1"}})

        expect(lambda: self.objects.read(NODE, "", "node-1")).not_to(raise_error)


with description("A merge patch") as self:
    with it("follows the examples of RFC 7386"):
        for target, patch, result in (
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b"}, {"a": None}, {}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ):
            expect(merged(target, patch)).to(equal(result))
