from expects import be_false, be_true, equal, expect
from mamba import description, it

from playbooks.infrastructure.this_pod import ThisPod

POD = {
    "HOSTNAME": "falco-delete-6d5f-abcde",
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "NODE_NAME": "worker-1",
    "POD_NAMESPACE": "playbooks",
}


def facts(environ):
    own_pod = ThisPod(environ)
    return [own_pod.namespace, own_pod.pod, own_pod.node]


with description("Where a playbook runs") as self:
    with it("is the pod that its variables tell"):
        expect(facts(POD)).to(equal(["playbooks", "falco-delete-6d5f-abcde", "worker-1"]))
        expect(ThisPod(POD).in_cluster).to(be_true)

    with it("is no pod outside of a cluster, whatever the machine is called"):
        expect(facts({"HOSTNAME": "laptop"})).to(equal(["default", "", ""]))
        expect(ThisPod({"HOSTNAME": "laptop"}).in_cluster).to(be_false)

    with it("is the namespace that is said, also outside of a cluster"):
        expect(ThisPod({"POD_NAMESPACE": "ops"}).namespace).to(equal("ops"))

    with it("is namespace default where the variable is empty"):
        expect(ThisPod({"POD_NAMESPACE": ""}).namespace).to(equal("default"))
