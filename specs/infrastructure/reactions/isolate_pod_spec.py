"""Isolating pods that run, where the cluster enforces policies.

What is stored is looked at everywhere; what traffic gets through rests on the cluster's network
plugin (on the rig of this project, on its test agent). Each group that probes traffic first sees
for itself that a policy of its own is enforced, and says so in plain words where none is.
"""

import json
import time

from expects import be_empty, be_none, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.core.containment.isolation import DETACHED_LABELS
from playbooks.core.outcome import Status
from specs.support.cluster.real_cluster import (
    a_controller,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    at_once,
    create,
    delete_namespace,
    gone,
    is_ready,
    kubectl,
    running_pod,
    running_pods,
    shell,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually

# A web server that says which pod it is, and one that echoes what it hears.
SERVES = (
    "mkdir /tmp/www && hostname > /tmp/www/index.html"
    " && (nc -ll -p 7000 -e cat &) && exec httpd -f -p 8080 -h /tmp/www"
)
SERVER = {"command": ("sh", "-c", SERVES)}


def a_server(name, namespace, **more):
    return a_pod_manifest(name, namespace, labels={"app": name}, **SERVER, **more)


def address(pod):
    return pod["status"]["podIP"]


def name_of(pod):
    return pod["metadata"]["name"]


def reaches(pod, host):
    """The name of the pod that answers there, or empty."""
    asks = "printf 'GET / HTTP/1.0\\r\\n\\r\\n'"
    return shell(pod, f"{asks} | nc -w 2 {host} 8080 2>/dev/null | tail -n 1; true").strip()


def does_not_reach(pod, host):
    return reaches(pod, host) == ""


def keep_talking(pod, host):
    """Open a connection from the pod and say something over it five times a second."""
    talk = f"(while :; do echo hello; sleep 0.2; done) | nc {host} 7000 > /tmp/heard"
    shell(pod, f"({talk}) </dev/null >/dev/null 2>&1 &")


def hears(pod):
    """Whether it still hears its own words over that connection, within two seconds."""
    count = "wc -c < /tmp/heard"
    first, last = shell(pod, f"{count}; sleep 2; {count}").split()
    return int(last) > int(first)


def policy_of(outcome, namespace):
    return stored("networkpolicy", outcome.details["policy"], namespace)


def again(pod):
    return stored("pod", name_of(pod), pod["metadata"]["namespace"])


def a_policy(name, namespace, selector, **spec):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": selector, **spec},
    }


def must_enforce_policies(client, server):
    """Raises an AssertionError that says so where the cluster does not."""
    namespace = client["metadata"]["namespace"]
    selector = {"matchLabels": {"app": name_of(server)}}
    eventually(lambda: reaches(client, address(server)) != "")
    create(a_policy("spec-denies", namespace, selector, policyTypes=["Ingress"]))
    try:
        eventually(lambda: does_not_reach(client, address(server)), 20)
    except AssertionError:
        raise AssertionError(
            "this cluster does not enforce NetworkPolicies: a policy that denies all ingress"
            " changed nothing in 20 seconds. So what isolating does to traffic cannot be shown here"
        ) from None


with description("An isolated pod, where the cluster enforces policies,") as self:
    with before.all:
        self.namespace = ns = a_namespace()
        service = {"selector": {"app": "web"}, "ports": [{"port": 8080}]}
        create(
            a_controller("Deployment", "web", ns, replicas=3, **SERVER),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": ns},
                "spec": service,
            },
            a_server("client", ns),
            a_server("checked", ns),
        )
        self.client, checked, (self.target, *self.siblings) = at_once(
            lambda: running_pod("client", ns),
            lambda: running_pod("checked", ns),
            lambda: running_pods(ns, app="web", count=3),
        )
        must_enforce_policies(self.client, checked)
        eventually(lambda: reaches(self.client, address(self.target)) != "")
        eventually(lambda: reaches(self.target, address(self.client)) != "")
        keep_talking(self.client, address(self.target))
        keep_talking(self.target, address(self.client))
        self.heard = at_once(lambda: hears(self.client), lambda: hears(self.target))
        self.outcome = answer("isolate", alert_about(self.target))
        eventually(lambda: does_not_reach(self.client, address(self.target)), 20)

    with after.all:
        delete_namespace(self.namespace)

    with it("is reported as such, with what was stored"):
        expect(self.outcome.reason).to(equal("isolated"))
        expect(self.outcome.message).to(contain("policy stored"))
        expect(policy_of(self.outcome, self.namespace)["spec"]["policyTypes"]).to(
            equal(["Ingress", "Egress"])
        )

    with it("is reached by nobody, not by the node's other pods and not by its siblings"):
        found = at_once(
            lambda: reaches(self.client, address(self.target)),
            lambda: reaches(self.siblings[0], address(self.target)),
        )
        expect(found).to(equal(["", ""]))

    with it("reaches nothing, neither pods nor the Kubernetes API"):
        api = stored("service", "kubernetes", "default")["spec"]
        connects = f"nc -w 2 {api['clusterIP']} {api['ports'][0]['port']} </dev/null && echo yes"
        found = at_once(
            lambda: reaches(self.target, address(self.client)),
            lambda: reaches(self.target, address(self.siblings[0])),
            lambda: shell(self.target, f"{connects} 2>/dev/null; true").strip(),
        )
        expect(found).to(equal(["", "", ""]))
        expect(shell(self.client, f"{connects} 2>/dev/null; true").strip()).to(equal("yes"))

    with it("is cut off on connections that were open before, whoever opened them"):
        expect(self.heard).to(equal([True, True]))
        expect(at_once(lambda: hears(self.client), lambda: hears(self.target))).to(
            equal([False, False])
        )

    with it("leaves its siblings serving, by themselves and behind their Service"):
        siblings = [name_of(pod) for pod in self.siblings]
        found = [reaches(self.client, address(pod)) for pod in self.siblings]
        expect(found).to(equal(siblings))

        host = stored("service", "web", self.namespace)["spec"]["clusterIP"]
        eventually(lambda: reaches(self.client, host) != "")
        answering = {reaches(self.client, host) for _ in range(6)}
        expect(answering).not_to(contain(""))
        expect(answering).not_to(contain(name_of(self.target)))

    with it("is replaced by its ReplicaSet, and runs on"):
        pods = running_pods(self.namespace, app="web", count=3)

        expect({name_of(pod) for pod in pods}).not_to(contain(name_of(self.target)))
        expect(is_ready(again(self.target))).to(equal(True))
        expect(again(self.target)["metadata"].get("ownerReferences")).to(be_none)

    with it("keeps the labels that were taken off in an annotation"):
        kept = json.loads(again(self.target)["metadata"]["annotations"][DETACHED_LABELS])

        expect(kept).to(equal(self.target["metadata"]["labels"]))

    with it("is done when it is asked again"):
        expect(answer("isolate", alert_about(self.target)).reason).to(equal("already-isolated"))

    with it("takes its policy with it when it goes"):
        kubectl("delete", "pod", name_of(self.target), "-n", self.namespace, "--grace-period=1")
        expect(gone(self.target)).to(equal(True))
        eventually(lambda: policy_of(self.outcome, self.namespace) is None)


with description("Isolating, where the cluster enforces policies,") as self:
    with before.all:
        self.namespace = ns = a_namespace()
        create(
            a_controller("Deployment", "web", ns, **SERVER),
            a_controller("Deployment", "kept", ns, **SERVER),
            a_controller("StatefulSet", "db", ns),
            a_server("quiet", ns),
            a_server("client", ns),
            a_server("stranger", ns),
            a_pod_manifest("host", ns, labels={"app": "host"}, hostNetwork=True),
        )
        self.client, self.stranger = at_once(
            lambda: running_pod("client", ns), lambda: running_pod("stranger", ns)
        )
        running_pods(ns, count=7)
        # Of the pods that are isolated below, the first shows that policies are enforced.
        self.web = running_pods(ns, app="web")[0]
        self.allowing = answer(
            "isolate",
            alert_about(self.web),
            ISOLATE_ALLOW_CIDRS=f"{address(self.client)}/32",
        )
        try:
            eventually(lambda: does_not_reach(self.stranger, address(self.web)), 20)
        except AssertionError:
            raise AssertionError("this cluster does not enforce NetworkPolicies") from None

    with after.all:
        delete_namespace(self.namespace)

    with it("leaves the networks of ISOLATE_ALLOW_CIDRS reachable, and no others"):
        found = at_once(
            lambda: reaches(self.client, address(self.web)),
            lambda: reaches(self.stranger, address(self.web)),
            lambda: reaches(self.web, address(self.client)),
            lambda: reaches(self.web, address(self.stranger)),
        )
        expect(self.allowing.reason).to(equal("isolated"))
        expect(found).to(equal([name_of(self.web), "", "client", ""]))

    with it("denies egress only, where it is told to"):
        pod = running_pod("quiet", self.namespace)
        outcome = answer("isolate", alert_about(pod), ISOLATE_DIRECTION="egress")

        expect(outcome.reason).to(equal("isolated"))
        eventually(lambda: does_not_reach(pod, address(self.client)), 20)
        expect(reaches(self.client, address(pod))).to(equal("quiet"))

    with it("keeps the pod's labels and its controller with ISOLATE_DETACH=false"):
        pod = running_pods(self.namespace, app="kept")[0]
        outcome = answer("isolate", alert_about(pod), ISOLATE_DETACH="false")

        eventually(lambda: does_not_reach(self.client, address(pod)), 20)
        metadata = again(pod)["metadata"]
        uid = metadata["uid"]
        labels = {**pod["metadata"]["labels"], "falco/isolated": uid}
        expect(metadata["labels"]).to(equal(labels))
        expect(metadata["ownerReferences"]).to(have_len(1))
        expect(outcome.details["detached_labels"]).to(be_empty)
        expect(running_pods(self.namespace, app="kept")).to(have_len(1))

    with it("does not detach a StatefulSet's pod, and says so"):
        pod = running_pod("db-0", self.namespace)
        outcome = answer("isolate", alert_about(pod))

        expect(outcome.message).to(contain("not detached: it belongs to StatefulSet db"))
        metadata = again(pod)["metadata"]
        expect(metadata["labels"]["app"]).to(equal("db"))
        expect(metadata["ownerReferences"]).to(have_len(1))

    with it("skips a pod with the network of its node"):
        pod = running_pod("host", self.namespace)
        outcome = answer("isolate", alert_about(pod))

        expect(outcome.reason).to(equal("host-network"))
        expect(list(again(pod)["metadata"]["labels"])).to(equal(["app"]))

    with it("isolates a pod that is being deleted, for what is left of its grace period"):
        place = ("-n", self.namespace)
        kubectl("delete", "pod", "stranger", *place, "--grace-period=10", "--wait=false")
        outcome = answer("isolate", alert_about(self.stranger))

        expect(outcome.status).to(equal(Status.ACTED))


with description("Isolating a pod that another policy allows everything") as self:
    with before.all:
        self.namespace = ns = a_namespace()
        create(
            a_controller("Deployment", "web", ns, **SERVER),
            a_server("client", ns),
            a_policy(
                *("allow-all", ns, {}),
                policyTypes=["Ingress", "Egress"],
                ingress=[{}],
                egress=[{}],
            ),
        )
        self.client, (self.pod,) = at_once(
            lambda: running_pod("client", ns), lambda: running_pods(ns, app="web")
        )
        self.theirs = stored("networkpolicy", "allow-all", ns)
        self.outcome = answer("isolate", alert_about(self.pod))

    with after.all:
        delete_namespace(self.namespace)

    with it("is isolating in part, and names that policy"):
        expect(self.outcome.status).to(equal(Status.ACTED))
        expect(self.outcome.reason).to(equal("isolated-in-part"))
        expect(self.outcome.message).to(contain("allow-all still allow traffic"))

    with it("leaves that policy as it is"):
        expect(stored("networkpolicy", "allow-all", self.namespace)).to(equal(self.theirs))

    with it("tells the truth: traffic still gets through"):
        # Longer than any policy above took to be enforced.
        time.sleep(3)
        expect(reaches(self.client, address(self.pod))).to(equal(name_of(self.pod)))


not_run_unless(CLUSTER, globals())
