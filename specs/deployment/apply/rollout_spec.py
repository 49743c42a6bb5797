import json

from expects import be_above, be_below, be_none, contain, equal, expect
from mamba import before, description, it

from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.deployment.apply import rollout
from playbooks.deployment.apply.readiness import of_pod
from specs.deployment.fake_objects import FakeObjects, rolled_out
from specs.deployment.mothers import run, worker_objects

(DEPLOYMENT,) = [m for m in worker_objects().accessories if m["kind"] == "Deployment"]
KUBERNETES = ("-E", "kubernetes", "-p", "delete", "-t", "falco.error.*")


def a_pod(name="falco-delete-x", *, ready=False, init=(), containers=(), conditions=()):
    template = DEPLOYMENT["spec"]["template"]["metadata"]
    metadata = {**template, "name": name, "namespace": "default"}
    conditions = [*conditions, {"type": "Ready", "status": str(ready)}]
    statuses = {"initContainerStatuses": list(init), "containerStatuses": list(containers)}
    status = {"conditions": conditions, "phase": "Pending", **statuses}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


def a_container(name="falco-delete", *, crashed=False, **state):
    last = {"lastState": {"terminated": {"exitCode": 1}}} if crashed else {}
    return {"name": name, "ready": False, "state": state, **last}


def waiting(reason, message="", **more):
    return a_container(waiting={"reason": reason, "message": message}, **more)


with description("Waiting for the workers") as self:
    with before.each:
        self.cluster = FakeObjects()
        self.cluster.status = lambda deployment: {}
        self.cluster._store(DEPLOYMENT, uid="x")
        self.told = []

    def error(self, *pods, seconds=None):
        for pod in pods:
            self.cluster._store(pod, uid=pod["metadata"]["name"])
        self.seconds = 0.0

        def sleep(seconds):
            self.seconds += seconds

        try:
            rollout.wait(
                self.cluster,
                DEPLOYMENT,
                progress=self.told.append,
                sleep=sleep,
                seconds=seconds,
            )
        except PlaybookError as error:
            return str(error)
        return "no error"

    with it("ends when they are ready"):
        self.cluster.objects["Deployment", "default", "falco-delete"]["status"] = {
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 1,
        }

        expect(self.error()).to(equal("no error"))

    with it("goes on while workers of before are there"):
        deployment = self.cluster.objects["Deployment", "default", "falco-delete"]
        deployment["status"] = {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 2}
        self.error(a_pod(ready=True))

        expect(self.told).to(equal(["1 of 1 ready; the ones before end"]))

    with it("tells what they wait for, once"):
        self.error(a_pod(containers=[waiting("ContainerCreating")]))

        expect(self.told).to(equal(["0 of 1 ready; container falco-delete: ContainerCreating"]))

    with it("says at once which image cannot be pulled"):
        said = self.error(a_pod(containers=[waiting("ImagePullBackOff", "no such host")]))

        expect(said).to(
            contain(
                "Pod default/falco-delete-x did not become ready: container falco-delete:"
                " ImagePullBackOff: no such host"
            )
        )
        expect(self.seconds).to(equal(0.0))

    with it("says how the log ends of a worker that crashed"):
        lines = ["plain", json.dumps({"level": "error", "message": "NATS_URL is wrong"})]
        self.cluster.logged["falco-delete-x", "falco-delete"] = "\n".join(lines)

        expect(self.error(a_pod(containers=[waiting("CrashLoopBackOff", crashed=True)]))).to(
            contain("CrashLoopBackOff\nits log ends with\n  | plain\n  | error: NATS_URL is wrong")
        )

    with it("says how the log ends of a worker that runs and is not ready for a minute"):
        self.cluster.logged["falco-delete-x", "falco-delete"] = "no NATS"
        said = self.error(a_pod(containers=[a_container(running={})]))

        expect(said).to(contain("runs and is not ready\nits log ends with\n  | no NATS"))
        expect(self.seconds).to(be_below(70))

    def logs(self, *lines):
        """Of a worker that runs and is not ready."""
        text = "\n".join(json.dumps(line) for line in lines)
        self.cluster.logged["falco-delete-x", "falco-delete"] = text
        return self.error(a_pod(containers=[a_container(running={})]))

    with it("tells what the worker warns of last"):
        self.logs(
            {"level": "warning", "message": "one"},
            {"level": "error", "message": "no NATS"},
            {"level": "info", "message": "ignored"},
        )

        expect(self.told).to(
            equal(
                [
                    "0 of 1 ready; container falco-delete runs and is not ready;"
                    " the worker says: no NATS"
                ]
            )
        )

    with it("goes on where a line of the log is none of the worker's"):
        for line in ("[" * 100_000, '{"level": "info", "message": "a", "reason": ["b"]}'):
            self.cluster.logged["falco-delete-x", "falco-delete"] = line
            said = self.error(a_pod(containers=[a_container(running={})]))

            expect(said).to(contain("did not become ready", "its log ends with"))

    with it("ends within seconds where no waiting helps, with the worker's words"):
        for reason in rollout.HOPELESS:
            self.told.clear()
            said = self.logs(
                {"level": "warning", "message": "Authorization Violation", "reason": reason},
                {"level": "warning", "message": "reset"},
            )

            expect(said).to(contain("did not become ready", "| warning: Authorization Violation"))
            expect(self.told[-1]).to(contain("the worker says: Authorization Violation"))
            expect(self.seconds).to(be_below(15))

    with it("goes on where that is over"):
        for reason in rollout.HOPELESS:
            self.logs(
                {"level": "warning", "message": "Authorization Violation", "reason": reason},
                {"level": "info", "message": "connected", "over": reason},
            )

            expect(self.seconds).to(be_above(30))

    with it("ends at once where the worker's settings are wrong, which no restart corrects"):
        misconfigured = {"reason": "Error", "exitCode": 2}
        self.cluster.logged["falco-delete-x", "falco-delete"] = "NATS_CA is wrong"
        said = self.error(a_pod(containers=[a_container(terminated=misconfigured)]))

        expect(said).to(contain("Error, exit code 2", "| NATS_CA is wrong"))
        expect(self.seconds).to(equal(0.0))

    with it("waits for as long as that is asked for"):
        self.error(a_pod(containers=[waiting("ContainerCreating")]), seconds=20.0)
        expect(self.seconds).to(equal(20.0))

        self.error(a_pod(containers=[a_container(running={})]), seconds=200.0)
        expect(self.seconds).to(be_above(190))

    with it("lets an installation take its time"):
        self.error(a_pod(init=[a_container("install", running={})]))

        expect(self.seconds).to(be_above(200))

    with it("says how the log ends of an installation that failed"):
        self.cluster.logged["falco-delete-x", "install"] = "no matching distribution"
        failed = a_container("install", crashed=True, waiting={"reason": "CrashLoopBackOff"})

        expect(self.error(a_pod(init=[failed]))).to(
            contain("container install: CrashLoopBackOff", "  | no matching distribution")
        )

    with it("says why pods may not be created"):
        deployment = self.cluster.objects["Deployment", "default", "falco-delete"]
        deployment["status"] = {
            "conditions": [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": "violates PodSecurity",
                }
            ]
        }

        expect(self.error()).to(
            equal(
                "Deployment default/falco-delete did not become ready: FailedCreate:"
                " violates PodSecurity"
            )
        )

    with it("says why no node takes a pod"):
        unscheduled = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available",
        }

        expect(self.error(a_pod(conditions=[unscheduled]))).to(
            contain("Unschedulable: 0/1 nodes are available")
        )

    with it("does not look at pods of another template"):
        pod = a_pod(containers=[waiting("ImagePullBackOff")])
        pod["metadata"]["annotations"] = {"falco/revision": "another"}

        expect(self.error(pod)).to(contain("made no pods"))

    with it("warns of what the worker warns of, each once, and says when it was said last"):
        warning = {"level": "warning", "message": "this NATS server accepts anonymous connections"}
        times = ("2026-11-21T09:00:00.123456789Z", "2026-11-21T09:00:01.5Z")
        lines = [json.dumps({**warning, "time": each}) for each in times]
        self.cluster.logged["falco-delete-x", "falco-delete"] = "\n".join(lines)
        self.cluster._store(a_pod(ready=True), uid="y")

        said = "the worker says: this NATS server accepts anonymous connections"
        expect(rollout.warnings(self.cluster, DEPLOYMENT)).to(
            equal([f"{said} (2026-11-21T09:00:01Z)"])
        )

    with it("warns that nobody sees what the worker warns of, where its log may not be read"):
        self.cluster.failures["pods"] = NotPermitted("you may not list pods")

        expect(rollout.warnings(self.cluster, DEPLOYMENT)).to(
            equal(["what the worker warns of cannot be read: you may not list pods"])
        )

    with it("goes on where the failure is that of an earlier template"):
        deployment = self.cluster.objects["Deployment", "default", "falco-delete"]
        failed = {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "no"}]}
        stored = iter(
            [
                (2, {**failed, "observedGeneration": 1}),
                (2, {**failed, "observedGeneration": 2}),
                (2, {**failed, "observedGeneration": 2}),
                (2, {**rolled_out(deployment), "observedGeneration": 2}),
            ]
        )
        get = self.cluster.get

        def looked(manifests):
            deployment["metadata"]["generation"], deployment["status"] = next(stored)
            return get(manifests)

        self.cluster.get = looked

        expect(self.error()).to(equal("no error"))

    with it("undoes the deployment when it fails"):
        cluster = FakeObjects()
        cluster.status = lambda deployment: {
            "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "forbidden"}]
        }
        answer = run(*KUBERNETES, cluster=cluster)

        expect(answer.code).to(equal(1))
        expect(answer.err).to(contain("forbidden", "nothing of the function is left"))
        expect(cluster.names).to(equal(["ClusterRole falco-playbook-worker"]))

    with it("keeps what does not become ready where that is asked for"):
        cluster = FakeObjects()
        cluster.status = lambda deployment: {
            "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "forbidden"}]
        }
        answer = run(*KUBERNETES, "--keep-failed", cluster=cluster)

        expect(answer.code).to(equal(1))
        expect(answer.err).to(contain("forbidden", "it is kept as it is"))
        expect(cluster.names).to(contain("Deployment falco-delete", "Function falco-delete"))

        deployment = cluster.the("Deployment", "falco-delete")
        deployment["status"] = rolled_out(deployment)
        expect(run(*KUBERNETES, cluster=cluster).code).to(equal(0))

    with it("is left out where that is asked for"):
        cluster = FakeObjects()
        cluster.status = lambda deployment: {}
        slept = []
        answer = run(*KUBERNETES, "--no-wait", cluster=cluster, sleep=slept.append)

        expect(answer.code).to(equal(0))
        expect(sum(slept)).to(be_below(10))
        expect(run(*KUBERNETES, "--no-wait", "--timeout", "5m").code).to(equal(2))

    with it("takes a time with its unit"):
        expect(run(*KUBERNETES, "--timeout", "5").err).to(
            contain("--timeout", "'5', expected a time from 1s to 1d such as 90s")
        )


with description("What is not ready") as self:
    with it("is none of a pod that is ready"):
        expect(of_pod(a_pod(ready=True))).to(be_none)

    with it("is the exit code of a container that ended"):
        ended = a_container(terminated={"reason": "Error", "exitCode": 2})

        expect(of_pod(a_pod(containers=[ended])).says).to(
            equal("container falco-delete: Error, exit code 2")
        )
