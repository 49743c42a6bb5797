"""The ledger in a ConfigMap, on a real API server.

Its first group is the contract that it shares with the ledger in memory.
"""

from expects import be_a, contain, equal, expect, have_key
from mamba import after, before, description, it

from playbooks.core.errors import NotFound, NotPermitted, Refused
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.kubeless import KubelessObjects
from playbooks.infrastructure.kubernetes.ledger import KEY, ConfigMapLedger
from specs.support.cluster.real_cluster import (
    a_name,
    a_namespace,
    api_of,
    at_once,
    create,
    delete_namespace,
    kubectl,
    stored,
    token_of,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.contracts import ledger as contract
from specs.support.contracts.examples import examples_of
from specs.support.processes import eventually

GROUP = "rbac.authorization.k8s.io"


def granted(namespace, name, account="keeper"):
    """The API as an account sees it that may get and patch one ConfigMap only."""
    metadata = {"name": account, "namespace": namespace}
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [name],
        "verbs": ["get", "patch"],
    }
    create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    )
    return api_of(token_of(account, namespace))


def what_it_raises(call):
    try:
        call()
    except Exception as error:
        return error
    return None


with description("A ledger in a ConfigMap") as self:
    with before.all:
        self.namespace = a_namespace()

    with after.all:
        delete_namespace(self.namespace)

    with before.each:
        self.name = a_name()
        self.stores = tuple(self.ledger(KubernetesApi()) for _ in range(2))

    def ledger(self, api, **changes):
        return ConfigMapLedger(api, **{"namespace": self.namespace, "name": self.name, **changes})

    locals().update(examples_of(contract, lambda self: self.stores))

    with it("is made by whoever may make it, with the labels of its function"):
        self.ledger(KubernetesApi(), function="falco-delete").read()

        metadata = stored("configmap", self.name, self.namespace)["metadata"]
        expect(metadata["labels"]).to(
            equal({"created-by": "kubeless", "falco/ledger": "true", "function": "falco-delete"})
        )

    with it("is made once where several find it missing at the same time"):
        found = at_once(*(self.ledger(KubernetesApi()).read for _ in range(4)))

        expect({text for text, _ in found}).to(equal({""}))
        expect({version for _, version in found}).to(
            equal({stored("configmap", self.name, self.namespace)["metadata"]["resourceVersion"]})
        )

    with it("keeps what else somebody put beside the text"):
        kubectl("create", "configmap", self.name, "-n", self.namespace, "--from-literal=a=b")
        store = self.stores[0]
        store.write("text", version=store.read()[1])

        expect(stored("configmap", self.name, self.namespace)["data"]).to(
            equal({"a": "b", KEY: "text"})
        )

    with it("is not written, nor made anew, where it is gone"):
        store = self.stores[0]
        _, version = store.read()
        kubectl("delete", "configmap", self.name, "-n", self.namespace)

        expect(what_it_raises(lambda: store.write("text", version=version))).to(be_a(NotFound))
        expect(stored("configmap", self.name, self.namespace)).to(equal(None))

    with it("is all that its function may read and write; what to do where it is missing, is said"):
        store = self.ledger(granted(self.namespace, self.name))
        error = what_it_raises(store.read)

        expect(error).to(be_a(NotFound))
        expect(str(error)).to(
            contain(f"{self.namespace}/{self.name}, is not there: deploying again makes it")
        )
        kubectl("create", "configmap", self.name, "-n", self.namespace)
        store.write("text", version=store.read()[1])
        expect(stored("configmap", self.name, self.namespace)).to(have_key("data"))

    with it("tells without writing whether it may be written, and may ask what it may do"):
        api = granted(self.namespace, self.name, account="asker")
        store, may = self.ledger(api), KubelessObjects(self.namespace, "x", api=api).may
        kubectl("create", "configmap", self.name, "-n", self.namespace)
        version = store.read()[1]

        expect(store.writable()).to(equal(""))
        expect(store.read()[1]).to(equal(version))
        expect(may("delete", "pods", "", self.namespace)).to(equal(False))

        kubectl("create", "role", "pods", "--verb=delete", "--resource=pods", "-n", self.namespace)
        of = f"--serviceaccount={self.namespace}:asker"
        kubectl("create", "rolebinding", "pods", "--role=pods", of, "-n", self.namespace)
        eventually(lambda: may("delete", "pods", "", self.namespace))
        expect(may("delete", "pods", "", "")).to(equal(False))

        immutable = '{"immutable": true}'
        kubectl("patch", "configmap", self.name, "-n", self.namespace, "-p", immutable)
        expect(what_it_raises(store.writable)).to(be_a(Refused))
        kubectl("delete", "rolebinding", "asker", "-n", self.namespace)
        eventually(lambda: isinstance(what_it_raises(store.writable), NotPermitted))


not_run_unless(CLUSTER, globals())
