from expects import be_none, equal, expect
from mamba import description, it

from playbooks.core.cluster.workload import Owner, controller


def owned(kind, api, *, name="web", is_controller=True):
    owner = {"kind": kind, "apiVersion": api, "name": name, "controller": is_controller}
    return {"ownerReferences": [{"kind": "Other", "apiVersion": "v1", "name": "x"}, owner]}


with description("The controller of an object") as self:
    with it("is the owner that controls it"):
        for kind, api in (
            ("ReplicaSet", "apps/v1"),
            ("DaemonSet", "apps/v1"),
            ("Job", "batch/v1"),
            ("Node", "v1"),
        ):
            expect(controller(owned(kind, api))).to(equal(Owner(kind, "web")))

    with it("is none where nothing controls it"):
        expect(controller({})).to(be_none)
        expect(controller(owned("ReplicaSet", "apps/v1", is_controller=False))).to(be_none)

    with it("is another one where its API is not that of Kubernetes"):
        expect(str(controller(owned("CloneSet", "apps.kruise.io/v1alpha1")))).to(
            equal("CloneSet.apps.kruise.io web")
        )
        for api in ("evil.example/v1", "v1", "apps/v2"):
            expect(controller(owned("DaemonSet", api)).kind).not_to(equal("DaemonSet"))

    with it("is none where nothing can be called as it is named: any text is an owner's name"):
        for name in ("..", "a%b", "web/scale", "w" * 254, "web\n"):
            expect(controller(owned("ReplicaSet", "apps/v1", name=name))).to(be_none)
        for kind, api in (
            ("Foo.apps/v1/namespaces/kube-system/deployments", "v1"),
            ("Foo", "../v1"),
            ("Foo", "a%b/v1"),
            ("", "v1"),
            ("F" * 64, "example.com/v1"),
        ):
            expect(controller(owned(kind, api))).to(be_none)
