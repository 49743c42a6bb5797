import base64
import signal

from expects import be_above_or_equal, be_empty, contain, equal, expect, have_len, start_with
from mamba import before, description, it

from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.deployment.apply import rollout
from specs.deployment.fake_objects import FakeObjects, rolled_out
from specs.deployment.mothers import TOKEN, documents_of, run
from specs.support.processes import ctrl_c_arrives

DELETE = ("-p", "delete", "-t", "falco.error.*")
KUBERNETES = ("-E", "kubernetes", *DELETE)


def a_controller(*, ready=1, name="kubeless-controller-manager"):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "kubeless", "labels": {"kubeless": "controller"}},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": ready},
    }


def with_controller(**state):
    cluster = FakeObjects()
    cluster.status = lambda deployment: deployment.get("status") or rolled_out(deployment)
    cluster._store(a_controller(**state), uid="x")
    return cluster


def finalized(cluster):
    """A controller that puts its finalizer on every Function as soon as anybody looks."""
    get = cluster.get

    def looked(manifests):
        for (kind, _, _), stored in cluster.objects.items():
            if kind == "Function":
                stored["metadata"]["finalizers"] = ["kubeless.io/function"]
        return get(manifests)

    cluster.get = looked
    return cluster


def interrupt(seconds):
    """Ctrl-C while deploy_playbook waits for the workers."""
    if seconds == rollout.PAUSE:
        signal.raise_signal(signal.SIGINT)


with description("The engine") as self:
    with before.each:
        self.cluster = FakeObjects()

    with it("is kubernetes where no controller of Kubeless is ready, and it says why"):
        answer = run(*DELETE, cluster=self.cluster)

        expect(answer.code).to(equal(0))
        expect(answer.out).to(start_with("engine    kubernetes: no Deployment of Kubeless'"))
        expect(self.cluster.names).to(contain("Deployment falco-delete"))

    with it("is kubeless where its controller is ready, and it says why"):
        cluster = with_controller()
        answer = run(*DELETE, cluster=cluster)

        expect(answer.out).to(
            start_with("engine    kubeless: Deployment kubeless/kubeless-controller-manager is")
        )
        expect(cluster.names).not_to(contain("Deployment falco-delete"))

    with it("takes -r where it is kubeless, and refuses it elsewhere with the reason"):
        typed = (*DELETE, "-r", "python3.9")

        expect(run(*typed, cluster=with_controller()).code).to(equal(0))
        answer = run(*typed, cluster=self.cluster)
        expect(answer.code).to(equal(2))
        expect(answer.err).to(contain("-r is for -E kubeless only, and no Deployment of Kubeless'"))
        expect(self.cluster.changes).to(equal([]))

    with it("is kubernetes where the controller is there and not ready"):
        expect(run(*DELETE, cluster=with_controller(ready=0)).out).to(contain("kubernetes: no"))

    with it("is kubernetes where the controller cannot be looked for, and it says so"):
        self.cluster.failures["deployments.apps"] = NotPermitted("you may not")
        self.cluster.get = lambda manifests, get=self.cluster.get: (
            (_ for _ in ()).throw(NotPermitted("you may not"))
            if [m["metadata"]["name"] for m in manifests] == ["kubeless-controller-manager"]
            else get(manifests)
        )

        answer = run(*DELETE, cluster=self.cluster)

        expect(answer.code).to(equal(0))
        expect(answer.out).to(
            contain("kubernetes: Kubeless' controller cannot be looked for: you may not")
        )

    with it("is chosen without a cluster where objects are only printed"):
        self.cluster.failures["deployments.apps"] = PlaybookError("connection refused")
        answer = run("-d", *DELETE, cluster=self.cluster)

        expect(answer.err).to(contain("kubernetes: no cluster says otherwise: connection refused"))
        expect([m["kind"] for m in documents_of(answer.out)]).to(contain("Deployment"))

    with it("warns of what cannot be printed without asking a cluster"):
        answer = run("-d", *KUBERNETES, "-s", "NATS_URL=nats/url", "--show-secrets")

        expect(answer.code).to(equal(0))
        expect(answer.err).to(
            contain(
                "the bearer token is a new one each time",
                "the API server's addresses are read on deploying only",
                "what is in NATS_URL is read on deploying",
            )
        )

    with it("warns of no token that is given, nor of a port in what names no server"):
        known = ("-d", *KUBERNETES, "-e", "HTTP_FROM=any")
        given = run(*known, "-s", "HTTP_TOKEN=http/token", "-s", "NATS_PASSWORD=nats/p")
        off = run(*known, "-e", "HTTP=off")

        for answer in (given, off):
            expect(answer.code).to(equal(0))
            # The key of releases alone is in the Secret then.
            expect(answer.err.splitlines()).to(have_len(1))
            expect(answer.err).to(contain("(RELEASE_KEY) is left out"))

    with description("kubernetes"):
        with it("is refused where a controller of Kubeless is ready"):
            cluster = with_controller()
            answer = run(*KUBERNETES, cluster=cluster)

            expect(answer.code).to(equal(1))
            expect(answer.err).to(
                contain("kubeless-controller-manager is ready", "deploy with -E kubeless")
            )
            expect(cluster.changes).to(be_empty)

        with it("is refused where a controller takes up the new Function, and nothing is left"):
            answer = run(*KUBERNETES, cluster=finalized(self.cluster))

            expect(answer.code).to(equal(1))
            expect(answer.err).to(
                contain("finalizer kubeless.io/function is on Function default/falco-delete")
            )
            expect(self.cluster.names).to(equal(["ClusterRole falco-playbook-worker"]))

        with it("is refused before anything changes where the Function is Kubeless' already"):
            run("-E", "kubeless", *DELETE, cluster=self.cluster)
            self.cluster.calls.clear()
            answer = run(*KUBERNETES, "--yes", cluster=finalized(self.cluster))

            expect(answer.err).to(contain("take it off: kubectl patch function falco-delete"))
            expect([c for c in self.cluster.changes if "falco-delete" in c[1]]).to(be_empty)

        with it("makes the Function the owner of all that is beside it, triggers too"):
            run(*KUBERNETES, cluster=self.cluster)
            uid = self.cluster.the("Function", "falco-delete")["metadata"]["uid"]
            unowned = [
                name
                for (kind, place, name), m in self.cluster.objects.items()
                if [o["uid"] for o in m["metadata"].get("ownerReferences", [])] != [uid]
            ]

            expect(sorted(unowned)).to(
                equal(
                    [
                        "falco-delete",
                        *("falco-delete.default", "falco-delete.default"),
                        "falco-playbook-delete-events.falco-delete.default",
                        "falco-playbook-delete-pods-delete.falco-delete.default",
                        "falco-playbook-worker",
                    ]
                )
            )

        with it("changes nothing when it is deployed unchanged"):
            run(*KUBERNETES, cluster=self.cluster)
            self.cluster.calls.clear()
            answer = run(*KUBERNETES, cluster=self.cluster)

            expect(answer.code).to(equal(0))
            expect(self.cluster.changes).to(be_empty)

        with it("says what answers which topic, and how to see, call and remove it"):
            answer = run(*KUBERNETES, "-n", "ops", cluster=self.cluster)

            expect(answer.out).to(
                contain(
                    "falco-delete-trigger-0 answers falco.error.*\n",
                    "POST http://falco-delete.ops.svc:8080/ with Authorization: Bearer TOKEN\n",
                    "falco-playbook token -N delete -n ops\n",
                    "kubeless function list falco-delete -n ops\n",
                    "deploy_playbook -x -p delete -n ops\n",
                )
            )

        with it("says nothing of HTTP where it is off"):
            answer = run(*KUBERNETES, "-e", "HTTP=off", cluster=self.cluster)

            expect(answer.out).not_to(contain("by HTTP"))

        with it("keeps what workers of before need until the new ones run"):
            run(*KUBERNETES, "-R", "2", cluster=self.cluster)
            seen = []

            def status(deployment):
                seen.append(self.cluster.names)
                return rolled_out(deployment)

            self.cluster.status = status
            run(*KUBERNETES, "-i", "registry.example/all:1", "--yes", cluster=self.cluster)

            was = ["ConfigMap falco-delete-worker", "PodDisruptionBudget falco-delete"]
            expect(seen[0]).to(contain(*was))
            expect([name for name in self.cluster.names if name in was]).to(be_empty)

        with it("keeps its token"):
            run(*KUBERNETES, cluster=self.cluster)
            secret = self.cluster.the("Secret", "falco-delete")
            secret["data"]["HTTP_TOKEN"] = base64.b64encode(TOKEN.encode()).decode()
            run(*KUBERNETES, "-e", "V=1", cluster=self.cluster)

            stored = self.cluster.the("Secret", "falco-delete")["data"]["HTTP_TOKEN"]
            expect(base64.b64decode(stored).decode()).to(equal(TOKEN))

        with it("generates another token in place of an empty one"):
            run(*KUBERNETES, cluster=self.cluster)
            self.cluster.the("Secret", "falco-delete")["data"]["HTTP_TOKEN"] = ""
            run(*KUBERNETES, cluster=self.cluster)

            stored = self.cluster.the("Secret", "falco-delete")["data"]["HTTP_TOKEN"]
            expect(len(base64.b64decode(stored))).to(be_above_or_equal(32))

        with it("lets workers of before reach their NATS until the new ones run"):
            run(*KUBERNETES, "-e", "NATS_URL=nats://nats:7222", cluster=self.cluster)
            seen = []

            def status(deployment):
                seen.append(str(self.cluster.the("NetworkPolicy", "falco-delete")["spec"]))
                return {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}

            self.cluster.status = status
            run(*KUBERNETES, "-e", "NATS_URL=nats://nats:7223", cluster=self.cluster)

            expect(seen[0]).to(contain("7222", "7223"))
            policy = self.cluster.the("NetworkPolicy", "falco-delete")["spec"]
            expect(str(policy)).to(contain("7223"))
            expect(str(policy)).not_to(contain("7222"))

        with it("leaves nothing when it is interrupted while workers start"):
            self.cluster.status = lambda deployment: {}
            with ctrl_c_arrives():
                answer = run(*KUBERNETES, cluster=self.cluster, sleep=interrupt)

            expect(answer.code).to(equal(130))
            expect(answer.err).to(
                contain("interrupted by SIGINT", "nothing of the function is left")
            )
            expect(self.cluster.names).to(equal(["ClusterRole falco-playbook-worker"]))

        with it("removes what it made"):
            run(*KUBERNETES, "-R", "2", cluster=self.cluster)
            answer = run("-x", "-p", "delete", cluster=self.cluster)

            expect(answer.out).to(contain("removed   Deployment default/falco-delete\n"))
            expect(self.cluster.names).to(equal(["ClusterRole falco-playbook-worker"]))

        with it("removes what an interrupted run left without its function"):
            run(*KUBERNETES, "-R", "2", cluster=self.cluster)
            del self.cluster.objects["Function", "default", "falco-delete"]
            run("-x", "-p", "delete", cluster=self.cluster)

            expect(self.cluster.names).to(equal(["ClusterRole falco-playbook-worker"]))

        with it("is told of settings of the worker, and checks them"):
            answer = run(*KUBERNETES, "-e", "MAX_DELIVERIES=many", "-e", "CONCURENCY=3")

            expect(answer.code).to(equal(2))
            expect(answer.err).to(
                contain(
                    "MAX_DELIVERIES is 'many', expected a whole number",
                    "there is no setting CONCURENCY, did you mean CONCURRENCY?",
                )
            )

        with it("is refused for what only deploy_playbook may say"):
            typed = ("-e", "FUNCTION_NAME=x", "-e", "HTTP_PORT=1", "-R", "0", "-i", "")
            answer = run(*KUBERNETES, *typed, "-s", "SHUTDOWN_SECONDS=a/b")

            expect(answer.code).to(equal(2))
            expect(answer.err).to(
                contain(
                    "FUNCTION_NAME is a variable that deploy_playbook sets itself",
                    "HTTP_PORT is a variable",
                    "-R is 0, expected a number from 1 to 100",
                    "-i is '', expected the name of an image",
                    "SHUTDOWN_SECONDS decides the pod's grace period",
                )
            )

        with it("is refused for a file that is neither content nor path"):
            expect(run(*KUBERNETES, "-e", "NATS_CREDS=nats.creds").err).to(
                contain("NATS_CREDS is (not shown), expected a file's content (NAME=@FILE)")
            )

    with it("takes an image, replicas and a patch for kubernetes only"):
        answer = run("-E", "kubeless", *DELETE, "-i", "x", "-R", "2", "-P", "/nowhere")

        expect(answer.code).to(equal(2))
        expect(answer.err.splitlines()).to(
            equal(
                [
                    f"deploy_playbook: error: {flag} is for {engines} only"
                    for flag, engines in (
                        ("-i", "-E knative and -E kubernetes and -E openfaas"),
                        ("-R", "-E kubernetes"),
                        ("-P", "-E kubernetes"),
                    )
                ]
            )
        )

    with it("takes what is for the local engine there only"):
        for engine in ("auto", "kubeless", "kubernetes"):
            answer = run("-E", engine, *DELETE, "-v", "--http", "80", "a.jsonl", "-")

            expect(answer.code).to(equal(2))
            expect(answer.err.splitlines()).to(
                equal(
                    [
                        f"deploy_playbook: error: {given} is for -E local only"
                        for given in ("--http", "-v", "a.jsonl -")
                    ]
                )
            )

    with it("takes nothing for kubernetes where it is local"):
        expect(run("-E", "local", *DELETE, "-i", "x").err).to(
            contain("-i is for -E knative and -E kubernetes and -E openfaas only")
        )
