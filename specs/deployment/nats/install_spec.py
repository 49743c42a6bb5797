import base64

from expects import be_empty, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.deployment.manifests.secret import texts_of
from playbooks.deployment.nats import manifests
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import run

WITH_NATS = ("-S", "--with-nats")
DELETE = ("-p", "delete", "-n", "ops")


class Cluster(FakeObjects):
    """Its StatefulSets are ready and its Jobs done, unless ``job`` is another status."""

    job = {"succeeded": 1}

    def _store(self, manifest, *, uid):
        stored = super()._store(manifest, uid=uid)
        status = {"StatefulSet": {"readyReplicas": 1}, "Job": self.job}.get(manifest["kind"])
        if status:
            self.the(manifest["kind"], manifest["metadata"]["name"])["status"] = status
        return stored


#: A Job's status.
FAILED = {
    "conditions": [
        {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "m"}
    ]
}


def a_failed_pod(name, job):
    ended = {"terminated": {"reason": "Error", "exitCode": 1}}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "nats-io", "labels": {"job-name": job}},
        "status": {"initContainerStatuses": [{"name": "install", "state": ended}]},
    }


def the_job(cluster):
    (job,) = [m for (kind, _, _), m in cluster.objects.items() if kind == "Job"]
    return job


def the_server(cluster):
    """Its pod's spec."""
    return cluster.the("StatefulSet", "nats")["spec"]["template"]["spec"]


def text(secret, key):
    return base64.b64decode(secret["data"][key]).decode()


def passwords(cluster):
    found = texts_of(cluster.the("Secret", "nats-users"))
    found.pop("users.conf")
    return found


with description("-S --with-nats") as self:
    with before.each:
        ops = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ops"}}
        self.cluster = Cluster(ops)

    with it("makes nothing where there is no namespace for the worker's Secret, and says so"):
        answer = run(*WITH_NATS, "-p", "delete", "-n", "nowhere", cluster=self.cluster)

        expect((answer.code, answer.out)).to(equal((1, "")))
        expect(answer.err).to(contain("there is no namespace nowhere", "kubectl create namespace"))
        expect(self.cluster.changes).to(be_empty)

    with it("makes a server, its streams, its users and Falcosidekick's Secret"):
        answer = run(*WITH_NATS, cluster=self.cluster)

        expect((answer.code, answer.err)).to(equal((0, "")))
        expect(self.cluster.names).to(
            contain(
                "Namespace falco",
                "Namespace nats-io",
                "NetworkPolicy nats",
                "Secret falcosidekick-nats",
                "Secret nats-users",
                "Service nats",
                "StatefulSet nats",
            )
        )
        expect([name for name in self.cluster.names if name.startswith("Job")]).to(have_len(1))

    with it("prints Falcosidekick's values, and no password"):
        answer = run(*WITH_NATS, *DELETE, cluster=self.cluster)

        expect(answer.out).to(contain("        existingSecret: falcosidekick-nats\n"))
        url = text(self.cluster.the("Secret", "falcosidekick-nats"), "NATS_HOSTPORT")
        expect(url).to(contain(f":{passwords(self.cluster)['falcosidekick']}@nats.nats-io.svc"))
        for password in passwords(self.cluster).values():
            expect(answer.out).not_to(contain(password))

    with it("gives a named worker a user and a Secret in its namespace, and says how to use it"):
        answer = run(*WITH_NATS, *DELETE, cluster=self.cluster)
        secret = self.cluster.the("Secret", "falco-delete-nats")

        expect(secret["metadata"]["namespace"]).to(equal("ops"))
        expect(text(secret, "NATS_USER")).to(equal("ops.falco-delete"))
        expect(text(secret, "NATS_PASSWORD")).to(equal(passwords(self.cluster)["ops.falco-delete"]))
        expect(answer.out).to(
            contain(
                "-s NATS_USER=falco-delete-nats/NATS_USER",
                "-s NATS_PASSWORD=falco-delete-nats/NATS_PASSWORD",
            )
        )

    with it("keeps users and passwords that are there, and changes nothing the second time"):
        run(*WITH_NATS, *DELETE, cluster=self.cluster)
        before_it = passwords(self.cluster)
        self.cluster.calls.clear()
        run(*WITH_NATS, cluster=self.cluster)

        expect(passwords(self.cluster)).to(equal(before_it))
        expect(self.cluster.changes).to(be_empty)

    with it("gives a worker that is there rights for its topics, also those of others' triggers"):
        run("-E", "kubernetes", *DELETE, "-t", "falco.error.*", cluster=self.cluster)
        by_hand = {
            "apiVersion": "kubeless.io/v1beta1",
            "kind": "NATSTrigger",
            "metadata": {"name": "by-hand", "namespace": "ops"},
            "spec": {
                "topic": "falco.notice.shell",
                "functionSelector": {"matchLabels": {"function": "falco-delete"}},
            },
        }
        self.cluster.create([by_hand])
        run(*WITH_NATS, *DELETE, cluster=self.cluster)

        users = text(self.cluster.the("Secret", "nats-users"), "users.conf")
        expect(users).to(contain("falco.error.*", "falco.notice.shell"))

    with it("removes the user of a worker whose Secret is gone, and says so"):
        run(*WITH_NATS, *DELETE, cluster=self.cluster)
        run(*WITH_NATS, "-p", "isolate", "-n", "ops", cluster=self.cluster)
        self.cluster.delete(self.cluster.the("Secret", "falco-delete-nats"))
        answer = run(*WITH_NATS, cluster=self.cluster)

        expect(answer.out).to(
            contain("removed   user ops.falco-delete, whose Secret ops/falco-delete-nats is gone")
        )
        expect(sorted(passwords(self.cluster))).to(
            equal(["admin", "falcosidekick", "ops.falco-isolate"])
        )
        expect(self.cluster.names).not_to(contain("Secret falco-delete-nats"))
        users = text(self.cluster.the("Secret", "nats-users"), "users.conf")
        expect(users).not_to(contain("ops.falco-delete"))

    with description("where what is labelled as Falcosidekick is elsewhere"):

        def run(self, *typed, **places):
            for name, place in places.items():
                labels = {"app.kubernetes.io/name": "falcosidekick"}
                metadata = {"name": name, "namespace": place, "labels": labels}
                self.cluster.objects["Deployment", place, name] = {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": metadata,
                }
            return run(*WITH_NATS, *typed, cluster=self.cluster)

        def place(self):
            return self.cluster.the("Secret", "falcosidekick-nats")["metadata"]["namespace"]

        with it("makes nothing before somebody agrees to its Secret there"):
            answer = self.run(a="shop")

            expect(answer.code).to(equal(1))
            expect(answer.err).to(contain("namespace shop", "nothing was changed", "--yes"))
            expect(self.cluster.changes).to(be_empty)

        with it("makes the Secret there where somebody agrees"):
            answer = self.run("--yes", a="monitoring")

            expect((answer.code, self.place())).to(equal((0, "monitoring")))
            expect(answer.out).to(contain("for Helm in the namespace monitoring:"))

        with it("takes the namespace falco where it runs there, too, or in several"):
            expect((self.run(a="a", b="falco").code, self.place())).to(equal((0, "falco")))
            self.cluster.objects.pop(("Deployment", "falco", "b"))
            answer = self.run(b="b")

            expect((answer.code, self.place())).to(equal((0, "falco")))

    with it("starts the server again for a new user"):
        run(*WITH_NATS, cluster=self.cluster)
        template = self.cluster.the("StatefulSet", "nats")["spec"]["template"]
        run(*WITH_NATS, *DELETE, cluster=self.cluster)

        expect(self.cluster.the("StatefulSet", "nats")["spec"]["template"]).not_to(equal(template))

    with it("leaves a NATS alone that somebody else set up"):
        theirs = manifests.server([manifests.User("admin", "a")])[-2]
        theirs = {**theirs, "metadata": {"name": "nats", "namespace": "nats-io"}}
        answer = run(*WITH_NATS, cluster=Cluster(theirs))

        expect(answer.code).to(equal(1))
        expect(answer.err).to(contain("Service nats-io/nats is there, and deploy_playbook did not"))

    with description("where the Job that creates the streams fails"):
        with before.each:
            self.cluster.job = FAILED

        def answer(self, *pods):
            for name, job in pods:
                self.cluster.objects["Pod", "nats-io", name] = a_failed_pod(name, job)
            return run(*WITH_NATS, cluster=self.cluster)

        with it("says why, with the end of its log"):
            run(*WITH_NATS, cluster=self.cluster)
            job = the_job(self.cluster)["metadata"]["name"]
            self.cluster.logged["mine", "install"] = "ERROR: No matching distribution"
            answer = self.answer(("another", "nats-streams-earlier"), ("mine", job))

            expect(answer.code).to(equal(1))
            expect(answer.err).to(
                contain(
                    "failed: DeadlineExceeded: m",
                    "its log ends with",
                    "  | ERROR: No matching distribution",
                    "try again: run this command again",
                )
            )

        with it("makes it again when the command is run again"):
            self.answer()
            self.cluster.job = {"succeeded": 1}
            again = self.answer()

            expect(again.code).to(equal(0))
            expect(again.out).to(contain("which failed earlier\n", "created   Job nats-io/"))

        with it("waits for one that an earlier run left at work"):
            self.answer()
            the_job(self.cluster)["status"] = {"active": 1}

            expect(self.answer().err).to(contain("NATS is not ready after 600 s: Job"))

    with it("takes images for the server and for the Job, which then installs nothing"):
        run(*WITH_NATS, "--nats-image", "x/nats:1", "-i", "x/worker:1", cluster=self.cluster)
        job = the_job(self.cluster)

        expect(the_server(self.cluster)["containers"][0]["image"]).to(equal("x/nats:1"))
        expect(job["spec"]["template"]["spec"]["containers"][0]["image"]).to(equal("x/worker:1"))
        expect(list(job["spec"]["template"]["spec"])).not_to(contain("initContainers"))

    with it("keeps the image of another registry, and takes the one of this version otherwise"):
        run(*WITH_NATS, "--nats-image", "registry.example/nats:1", cluster=self.cluster)
        run(*WITH_NATS, "-p", "delete", "-n", "ops", cluster=self.cluster)
        kept = the_server(self.cluster)
        run(*WITH_NATS, "--nats-image", "nats:2.10-alpine", cluster=self.cluster)
        run(*WITH_NATS, cluster=self.cluster)

        expect(kept["containers"][0]["image"]).to(equal("registry.example/nats:1"))
        expect(the_server(self.cluster)["containers"][0]["image"]).to(equal(manifests.IMAGE))

    with it("passes variables on to the installation"):
        run(*WITH_NATS, "-e", "PIP_INDEX_URL=http://index/", cluster=self.cluster)
        (install,) = the_job(self.cluster)["spec"]["template"]["spec"]["initContainers"]

        expect(install["env"]).to(contain({"name": "PIP_INDEX_URL", "value": "http://index/"}))

    with it("bounds the streams to less than the server stores"):
        total = sum(each.megabytes for each in manifests.STREAMS)

        expect(total < int(manifests.STORAGE[:-2]) * 1024).to(equal(True))

    with it("is for -S only"):
        expect(run("--with-nats", *DELETE, "-t", "falco.>").err).to(contain("are for -S only"))
        images = run(*WITH_NATS, "--nats-image", "a b", "-i", "")
        expect(images.code).to(equal(2))
        expect(images.err).to(
            contain("--nats-image is 'a b', expected the name of an image", "-i is '', expected")
        )
        expect(run("-S", "--nats-image", "x").err).to(contain("is for --with-nats only"))

    with it("gives no user to the worker of a playbook that is not there"):
        expect(run(*WITH_NATS, "-p", "nothing").err).to(contain("there is no playbook 'nothing'"))

    with it("prints no Secret with -d, and the same each time, unless it is asked to"):
        answer = run(*WITH_NATS, "-d")
        shown = run(*WITH_NATS, "-d", "--show-secrets")

        expect(answer.out).not_to(contain("kind: Secret\n"))
        expect(answer.out).to(equal(run(*WITH_NATS, "-d").out))
        expect(answer.err).to(contain("Secret nats-io/nats-users, Secret falco/falcosidekick-nats"))
        expect(shown.out).to(contain("kind: Secret\n"))
        expect(shown.err).to(contain("new passwords each time"))
