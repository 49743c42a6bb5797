"""Evidence of pods that run, in a directory and in S3 over HTTP, before they are deleted."""

import json
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from expects import be_above, be_below, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.cluster.pod import Pod
from playbooks.core.outcome import Status
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from specs.support.cluster.real_cluster import (
    IMAGE,
    a_name,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    create,
    delete_namespace,
    gone,
    running_pod,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.loopback.aws_cloud import MOTO_S3, Bucket
from specs.support.processes import eventually, free_port

# Says something, ends once, and says something else when it is started again.
CRASHES = """\
if test -e /memory/started; then
  echo "second run, password=hunter2"
  exec sleep 3600
fi
touch /memory/started; echo "first run, token=hunter2"; exit 1"""
MEMORY = {"volumeMounts": [{"name": "memory", "mountPath": "/memory"}]}
ENV = [{"name": "HARMLESS", "value": "hunter2"}]
SAYS_MUCH = "for n in $(seq 1 20000); do echo line $n; done; exec sleep 3600"


def a_pod_that_crashed(namespace):
    """Running, in its second run, with an init container that has ended."""
    name = a_name()
    prepares = {"name": "prepare", "image": IMAGE, "command": ["echo", "prepared"]}
    create(
        a_pod_manifest(
            name,
            namespace,
            command=("sh", "-c", CRASHES),
            volumes=[{"name": "memory", "emptyDir": {}}],
            container={**MEMORY, "env": ENV},
            initContainers=[prepares],
        )
    )

    def restarted():
        pod = running_pod(name, namespace)
        assert Pod(pod).restarts("main") == 1
        time.sleep(0.5)
        return pod

    return eventually(restarted, 60)


def a_running_pod(namespace, **changes):
    name = a_name()
    create(a_pod_manifest(name, namespace, **changes))
    return running_pod(name, namespace)


def a_waiting_pod(namespace):
    """Of which no container ever starts."""
    name = a_name()
    create(a_pod_manifest(name, namespace, container={"image": "registry.invalid/none:1"}))

    def waiting():
        pod = stored("pod", name, namespace)
        statuses = pod["status"].get("containerStatuses") or [{}]
        assert "waiting" in statuses[0].get("state", {}), f"{name} is not waiting"
        return pod

    return eventually(waiting)


def place_in(url, outcome):
    return outcome.details["evidence_url"][len(url) + 1 :]


def verified(read, names):
    """The manifest, after each file was read back and is what the manifest says."""
    manifest = json.loads(read("manifest.json"))
    listed = {entry["name"]: entry for entry in manifest["files"]}
    expect(sorted([*listed, "manifest.json"])).to(equal(sorted(names)))
    for name, entry in listed.items():
        content = read(name)
        expect([len(content), sha256(content).hexdigest()]).to(
            equal([entry["size"], entry["sha256"]])
        )
        expect(content).not_to(contain(b"hunter2"))
    return manifest


def has_all_of_it(read, names, pod):
    manifest = verified(read, names)

    expect(manifest["unread"]).to(equal([]))
    expect(manifest["pod"]["uid"]).to(equal(pod["metadata"]["uid"]))
    expect(read("logs/main.log")).to(contain(b" second run, password=***\n"))
    expect(read("logs/main.previous.log")).to(contain(b" first run, token=***\n"))
    expect(read("logs/prepare.log")).to(contain(b" prepared\n"))
    expect(json.loads(read("pod.json"))["metadata"]["uid"]).to(equal(pod["metadata"]["uid"]))
    reasons = [event["reason"] for event in json.loads(read("events.json"))]
    expect(reasons).to(contain("Scheduled", "Started"))
    expect(json.loads(read("alert.json"))["rule"]).to(equal("Terminal shell in container"))


def is_there(pod):
    found = stored("pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
    return found is not None and "deletionTimestamp" not in found["metadata"]


with description("Evidence of a running pod") as self:
    with before.all:
        self.namespace = a_namespace()
        self.directory = tempfile.TemporaryDirectory()
        self.url = f"file://{self.directory.name}"

    with after.all:
        delete_namespace(self.namespace)
        self.directory.cleanup()

    with it("is in a directory before the pod is deleted, with the log of the run before"):
        pod = a_pod_that_crashed(self.namespace)
        outcome = answer("delete", alert_about(pod), EVIDENCE_URL=self.url)
        root = Path(self.directory.name, place_in(self.url, outcome))
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]

        expect(outcome.status).to(equal(Status.ACTED))
        has_all_of_it(lambda name: (root / name).read_bytes(), names, pod)
        expect(gone(pod)).to(equal(True))

    with it("is in S3 before the pod is deleted"):
        pod = a_pod_that_crashed(self.namespace)
        s3 = Bucket("evidence")
        outcome = answer("delete", alert_about(pod), EVIDENCE_REQUIRED="true", **s3.settings)
        client, url = s3.client(), outcome.details["evidence_url"]
        root = url[len("s3://") :]
        names = [path[len(root) + 1 :] for path in client.find(url)]

        expect(outcome.status).to(equal(Status.ACTED))
        has_all_of_it(lambda name: client.cat_file(f"{url}/{name}"), names, pod)
        expect(gone(pod)).to(equal(True))

    with it("is not there after a dry run"):
        pod = a_running_pod(self.namespace)
        outcome = answer("delete", alert_about(pod), EVIDENCE_URL=self.url, DRY_RUN="true")

        expect(outcome.status).to(equal(Status.WOULD_ACT))
        expect(Path(self.directory.name, self.namespace, pod["metadata"]["name"]).exists()).to(
            equal(False)
        )

    with it("is the end of a long log"):
        pod = a_running_pod(self.namespace, command=("sh", "-c", SAYS_MUCH))
        cluster = KubernetesCluster()

        def said():
            return cluster.log(Pod(pod), "main", previous=False, most_bytes=10_000, seconds=5)

        eventually(lambda: said().content.endswith(b"line 20000\n"))
        log = said()

        expect(len(log.content)).to(be_below(10_001))
        expect(len(log.content)).to(be_above(9_000))
        expect(log.cut).to(contain("bytes that were read are left out"))

    with it("says what of a container that never started is missing"):
        pod = a_waiting_pod(self.namespace)
        outcome = answer(
            "delete", alert_about(pod), EVIDENCE_URL=self.url, EVIDENCE_REQUIRED="true"
        )

        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.details["evidence_missing"][0]).to(contain("the log of main ("))
        expect(outcome.message).to(contain("without the log of main ("))

    with description("where S3 is down"):
        with before.each:
            nowhere = f"http://127.0.0.1:{free_port()}"
            self.down = {**Bucket("evidence").settings, "AWS_ENDPOINT_URL": nowhere}
            self.pod = a_running_pod(self.namespace)

        with it("keeps the pod alive where it is required, and is worth another try"):
            outcome = answer("delete", alert_about(self.pod), EVIDENCE_REQUIRED="true", **self.down)

            expect([outcome.status, outcome.reason]).to(
                equal([Status.FAILED, "evidence-unavailable"])
            )
            expect(outcome.error.retryable).to(equal(True))
            expect(outcome.message).to(contain("Could not connect to the endpoint"))
            expect(is_there(self.pod)).to(equal(True))

        with it("does not keep the pod alive where it is not, and says so"):
            outcome = answer("delete", alert_about(self.pod), **self.down)

            expect(outcome.status).to(equal(Status.ACTED))
            expect(outcome.message).to(contain("; without evidence: cannot read s3://evidence/"))
            expect(gone(self.pod)).to(equal(True))


not_run_unless(CLUSTER, globals())
not_run_unless(MOTO_S3, globals())
