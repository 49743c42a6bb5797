import json
import os
import tempfile
from pathlib import Path
from unittest.mock import patch

from expects import be_a, be_empty, contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks import delete, slack, taint
from playbooks.core.alert import Alert
from playbooks.core.errors import ClusterUnavailable, NoCluster, NotFound, NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.deployment.engines import local
from playbooks.deployment.engines.local import RealTarget, StandIn, find_target
from playbooks.engines.local import CannotStart
from playbooks.engines.local.target import Target
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.testing import a_document, a_pod, an_alert
from specs.deployment.mothers import run
from specs.support.loopback.server import Answer, LoopbackServer

POLICY = """
kind: NetworkPolicy
metadata: {name: theirs, namespace: shop}
spec: {podSelector: {}, ingress: [{}]}
"""

CONTEXTS = """
current-context: prod
clusters:
- {name: prod, cluster: {server: "https://prod.example"}}
- {name: staging, cluster: {server: "https://staging.example"}}
users: [{name: me, user: {token: x}}]
contexts:
- {name: prod, context: {cluster: prod, user: me}}
- {name: staging, context: {cluster: staging, user: me}}
"""


class Failing:
    """Stands for the connection: who asks for it, gets the error."""

    def __init__(self, error):
        self._error = error

    def __call__(self):
        raise self._error


def a_kubeconfig(directory, name, server):
    """The file of it."""
    document = {
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server.url}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": ""}}],
    }
    file = Path(directory) / name
    file.write_text(json.dumps(document))
    return str(file)


def as_prod(asked):
    """Has the pod, and an empty ledger, which can be written; the pod is still there afterwards."""
    if "/pods/" in asked.path:
        return Answer(body=a_pod().manifest)
    if "/configmaps/" in asked.path:
        return Answer(body={"metadata": {"resourceVersion": "1"}})
    if "admissionregistration" in asked.path or "apiservices" in asked.path:
        return Answer(body={"items": []})
    if "/nodes/" in asked.path:
        return Answer(404, {"kind": "Status", "reason": "NotFound", "message": "no node"})
    return Answer(body={"metadata": {"name": "shop"}})


def begin(error):
    """What is said of a run on a real cluster that answers with the error."""
    return " ".join(RealTarget("the cluster of ~/.kube/config.", api(error)).words)


def api(error):
    return KubernetesApi(connect=Failing(error))


READY = "status: {conditions: [{type: Ready, status: 'True'}]}"
POOLS = "\n---\n".join(
    [
        *(
            f"kind: Node\nmetadata: {{name: {name}, uid: {name}}}\n"
            f"spec: {{taints: [{{key: team, value: {name[5]}, effect: NoSchedule}}]}}\n{READY}"
            for name in ("pool-a-1", "pool-a-2", "pool-b-1")
        ),
        "kind: Node\nmetadata: {name: node-2, annotations: {stand-in: gone}}",
    ]
)
RKE = "\n---\n".join(
    f"kind: Node\nmetadata: {{name: rke-{n}, uid: n{n}, labels: {{{label}: 'true'}}}}\n{READY}"
    for n, label in enumerate(
        ("node-role.kubernetes.io/controlplane", "node-role.kubernetes.io/worker"), 1
    )
)


with description("A run on a real cluster") as self:
    with it("begins where the cluster answers, and says which one it is"):
        for answer in (NotFound("no node"), NotPermitted("may not")):
            expect(begin(answer)).to(equal("This acts on the cluster of ~/.kube/config."))

    with it("does not begin where nobody answers"):
        expect(lambda: begin(ClusterUnavailable("connection refused"))).to(
            raise_error(
                CannotStart,
                "connection refused\nthis would act on the cluster of ~/.kube/config.",
            )
        )

    with it("acts on the cluster that it says, and on no other"):
        target = RealTarget("it", api(NotPermitted("not here")))
        responder = target.wired(delete.playbook).responder({"MAX_ALERT_AGE": "off"})
        body = a_document(output_fields=an_alert().fields)

        expect(responder.answer(body).message).to(contain("not here"))

    with it("of two that KUBECONFIG names acts on the first, which it shows"):
        prod, staging = LoopbackServer(answer=as_prod), LoopbackServer(answer=as_prod)
        with tempfile.TemporaryDirectory() as directory:
            files = [
                a_kubeconfig(directory, "prod", prod),
                a_kubeconfig(directory, "stage", staging),
            ]
            target = find_target(delete.playbook, {"KUBECONFIG": ":".join(files)}, [])
        playbook = target.wired(delete.playbook)
        body = a_document(output_fields=an_alert().fields)
        outcome = playbook.responder({"MAX_ALERT_AGE": "off"}).answer(body)
        rows = target.afterwards([outcome])
        prod.stop()
        staging.stop()

        expect(" ".join(target.words)).to(contain(f"context prod, server {prod.url}"))
        expect(outcome.reason).to(equal("deletion-accepted"))
        expect([asked.path for asked in prod.asked if asked.method == "DELETE"]).to(
            equal(["/api/v1/namespaces/shop/pods/web-0"])
        )
        expect(staging.asked).to(be_empty)
        expect(rows).to(equal([("pod", "shop/web-0", "running, on node-1")]))

    with it("does not begin where the kubeconfig is broken"):
        with patch.object(local.connect, "if_any", side_effect=NoCluster("broken")):
            expect(lambda: find_target(delete.playbook, {}, [])).to(
                raise_error(CannotStart, "broken")
            )

    with it("acts on the context that is named, else on the current one"):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "config")
            path.write_text(CONTEXTS)
            with patch.object(local, "RealTarget", lambda words, _api: words):
                named, current = (
                    find_target(
                        delete.playbook,
                        {"KUBECONFIG": str(path)},
                        [],
                        context=context,
                        named=bool(context),
                    )
                    for context in ("staging", "")
                )

        expect(named).to(contain("context staging, server https://staging.example"))
        expect(current).to(contain("context prod, server https://prod.example"))

    with it("does not begin where the kubeconfig that was named is not there"):
        words = ("-E", "local", "-p", "delete", "-t", "falco.>", "--kubeconfig", "/a/config")
        # The engine gives the playbook its environment.
        with patch.dict(os.environ):
            done = run(*words, "/dev/null")

        expect(done.code).not_to(equal(0))
        expect(done.out + done.err).to(contain("there is no kubeconfig: /a/config is not there"))


with description("A run without a kubeconfig") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)

    with after.each:
        self.directory.cleanup()

    def found(self, playbook=delete.playbook, files=(), **environ):
        return find_target(playbook, {"KUBECONFIG": "", **environ}, files)

    def answer(self, target, document):
        playbook = target.wired(delete.playbook)
        return playbook.responder({"MAX_ALERT_AGE": "off"}).answer(document)

    with it("acts on no cluster where the playbook needs none"):
        expect(type(self.found(slack.playbook))).to(equal(Target))

    with it("acts on a stand-in, and says so"):
        target = self.found()

        expect(target).to(be_a(StandIn))
        expect(" ".join(target.words)).to(contain("STAND-IN, NOT A CLUSTER", "in memory"))

    with it("acts on the pods that alerts name, and shows what became of them"):
        target = self.found()
        alert = an_alert()
        target.expect([alert])
        outcome = self.answer(target, a_document(output_fields=alert.fields))
        target.expect([alert])

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(target.afterwards([outcome])[0]).to(equal(("pod", "shop/web-0", "gone")))

    with it("adds the objects of a file beside the alerts, and of those that are named"):
        (self.path / "stand-in.yaml").write_text(POLICY)
        other = self.path / "other.yaml"
        other.write_text(POLICY.replace("theirs", "others"))
        target = self.found(
            files=[str(self.path / "alerts.jsonl"), "-"], STANDIN_OBJECTS=str(other)
        )

        expect(" ".join(target.words)).to(contain(f"{other} and {self.path / 'stand-in.yaml'} add"))
        expect(target.afterwards([])).to(
            equal(
                [
                    ("policy", "shop/others", "some ingress for pods"),
                    ("policy", "shop/theirs", "some ingress for pods"),
                ]
            )
        )

    with it("compares nodes as they are in the field: by pool, and by RKE's own label"):
        for host, objects, reason in (
            ("pool-a-1", POOLS, "tainted"),
            ("pool-b-1", POOLS, "last-node"),
            ("rke-1", RKE, "control-plane-node"),
        ):
            (self.path / "stand-in.yaml").write_text(objects)
            target = self.found(taint.playbook, files=[str(self.path / "alerts.jsonl")])
            document = a_document(output_fields=an_alert().fields, hostname=host)
            target.expect([Alert.parse(document)])
            responder = target.wired(taint.playbook).responder({"MAX_ALERT_AGE": "off"})

            expect((host, responder.answer(document).reason)).to(equal((host, reason)))

    with it("does not begin where such a file is wrong"):
        (self.path / "stand-in.yaml").write_text("kind: Lease\nmetadata: {name: a}")

        expect(lambda: self.found(files=[str(self.path / "alerts.jsonl")])).to(
            raise_error(CannotStart)
        )

    with it("shows sixty rows at most, and how many are left"):
        target = self.found()
        target.expect([an_alert(pod=f"web-{n}") for n in range(70)])
        rows = target.afterwards([Outcome.skipped("none", "none")])

        expect(len(rows)).to(equal(61))
        expect(rows[-1]).to(equal(("", "and 12 more", "")))

    with it("has nothing to show before an alert comes"):
        expect(self.found().afterwards([])).to(be_empty)
