"""``deploy_playbook -E kubernetes`` on a real cluster, with a worker's image and a NATS server.

Wants the image ``SPEC_WORKER_IMAGE`` (default local/falco-playbooks:dev) on the node, and
nats-server on the PATH. Where Kubeless' controllers are at work, only that it is refused is shown.
``SPEC_PIP_INDEX_URL``, a package index that pods reach, shows the installation without an image.
"""

import json
import os
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import yaml
from expects import be_above, be_empty, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.deployment.manifests.crds import definitions
from specs.support.cluster.engines import (
    FUNCTIONS,
    IMAGE,
    KUBELESS,
    TRIGGERS,
    WORKER_IMAGE,
    controller_at_work,
    no_controller_at_work,
)
from specs.support.cluster.real_cluster import (
    a_gated_pod,
    a_name,
    a_namespace,
    alert_about,
    cleaned_up,
    create,
    delete,
    delete_namespace,
    gone,
    is_ready,
    kubectl,
    kubectl_json,
    node_address,
    shell,
    start_deployment,
    stored,
)
from specs.support.conditions import CLUSTER, Condition, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import ROOT, eventually
from specs.support.programs import deploy_playbook, succeeded

GOLDEN = ROOT / "specs" / "deployment" / "golden"
INDEX = os.environ.get("SPEC_PIP_INDEX_URL", "")
SUBJECT = "falco.critical.terminal_shell_in_container"
TOPIC = "falco.critical.*"
NAME = "falco-delete"
KINDS = (
    f"{FUNCTIONS},{TRIGGERS},deployment,service,serviceaccount,secret,configmap,networkpolicy"
    ",poddisruptionbudget,rolebinding"
)


def deploy(namespace, server, *words):
    return succeeded(failing_deploy(namespace, server, *words))


def failing_deploy(namespace, server, *words):
    url = ("-e", f"NATS_URL={server.url}")
    return deploy_playbook(
        "-n", namespace, "-p", "delete", "-t", TOPIC, *url, "-E", "kubernetes", *words
    )


def remove(namespace):
    return succeeded(deploy_playbook("-n", namespace, "-p", "delete", "-x"))


def a_restricted_namespace():
    """One that takes no pod that the Pod Security profile ``restricted`` does not allow."""
    namespace = a_namespace()
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    return namespace


def workers(namespace):
    selected = kubectl_json("get", "pods", "-n", namespace, "-l", f"function={NAME}")["items"]
    return [pod for pod in selected if "deletionTimestamp" not in pod["metadata"]]


def ours(namespace):
    found = kubectl_json("get", KINDS, "-n", namespace, "-l", f"function={NAME}")["items"]
    return {f"{m['kind']} {m['metadata']['name']}": m["metadata"] for m in found}


def roles_of(namespace):
    selected = f"falco/function-namespace={namespace}"
    return kubectl_json("get", "clusterrole,clusterrolebinding", "-l", selected)["items"]


def token(namespace):
    return stored("secret", NAME, namespace)["data"]["HTTP_TOKEN"]


def reaches(pod, port):
    """Whether a worker comes through to a port of the node on which somebody listens."""
    address = (node_address(), port)
    connect = f"import socket; socket.create_connection({address!r}, 2)"
    try:
        shell(pod, f'python3 -c "{connect}"')
        return True
    except AssertionError:
        return False


def kubeless(*words):
    done = subprocess.run(["kubeless", *words], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


with description("Deploying with an image, on a cluster without Kubeless,") as self:
    with before.all:
        self.server = Nats(address=node_address()).start()
        self.namespace = a_restricted_namespace()
        self.said = deploy(self.namespace, self.server, "-E", "auto", "-i", IMAGE, "-R", "2")

    with after.all:
        delete_namespace(self.namespace)
        deploy_playbook("-n", self.namespace, "-p", "delete", "-x")
        self.server.remove()

    with it("chooses its own engine, and says why"):
        expect(self.said).to(
            contain("engine    kubernetes: no Deployment of Kubeless' controller is ready")
        )

    with it("has two workers ready, which the profile restricted takes"):
        expect([is_ready(pod) for pod in workers(self.namespace)]).to(equal([True, True]))

    with it("warns that this NATS accepts anonymous connections"):
        expect(self.said).to(
            contain("the worker says: this NATS server accepts anonymous connections")
        )

    with it("gives them a root that cannot be written, and nobody's rights"):
        pod = workers(self.namespace)[0]

        expect(shell(pod, "id -u").strip()).to(equal("1000"))
        expect(shell(pod, "touch /x 2>&1 || true")).to(contain("Read-only file system"))

    with it("lets them out to NATS, and to no other port of the same address"):
        pod = workers(self.namespace)[0]
        with socket.socket() as other:
            other.bind((node_address(), 0))
            other.listen()

            expect(reaches(pod, self.server.port)).to(equal(True))
            expect(reaches(pod, other.getsockname()[1])).to(equal(False))

    with it("answers an alert: the pod it names is gone"):
        namespace = a_namespace()
        (pod,) = start_deployment(namespace)
        self.server.publish((SUBJECT, alert_about(pod)))

        expect(gone(pod)).to(equal(True))
        delete_namespace(namespace)

    with it("changes nothing when it is deployed unchanged"):
        was = {name: m["resourceVersion"] for name, m in ours(self.namespace).items()}
        deploy(self.namespace, self.server, "-i", IMAGE, "-R", "2")
        now = {name: m["resourceVersion"] for name, m in ours(self.namespace).items()}

        expect(now).to(equal(was))

    with it("rolls when a setting changes, keeps its token, and is never without two workers"):
        was, generated = workers(self.namespace), token(self.namespace)
        fewest = [2]

        def watch():
            status = stored("deployment", NAME, self.namespace)["status"]
            fewest.append(status.get("readyReplicas", 0))

        words = ("-i", IMAGE, "-R", "2", "-e", "CONCURRENCY=4")
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(deploy, self.namespace, self.server, *words)
            while not done.done():
                watch()
            done.result()
        names = {pod["metadata"]["name"] for pod in was}

        expect(names & {p["metadata"]["name"] for p in workers(self.namespace)}).to(be_empty)
        expect(min(fewest)).to(equal(2))
        expect(token(self.namespace)).to(equal(generated))

    with it("says which image is missing, and leaves what ran"):
        was = stored("deployment", NAME, self.namespace)["spec"]
        code, said = failing_deploy(self.namespace, self.server, "-y", "-i", "local/nothing:1")

        expect(code).to(equal(1))
        expect(said).to(contain('Back-off pulling image "local/nothing:1"', "as it was before"))
        expect(stored("deployment", NAME, self.namespace)["spec"]).to(equal(was))

    with it("says what the cluster forbids, and leaves what ran"):
        was = stored("deployment", NAME, self.namespace)["spec"]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as patch:
            patch.write("spec: {hostNetwork: true}")
            patch.flush()
            code, said = failing_deploy(
                self.namespace, self.server, "-y", "-i", IMAGE, "-P", patch.name
            )

        expect(code).to(equal(1))
        expect(said).to(contain("violates PodSecurity", "hostNetwork", "as it was before"))
        expect(stored("deployment", NAME, self.namespace)["spec"]).to(equal(was))

    with it("says how the log ends of a worker that cannot start, and leaves what ran"):
        was = stored("deployment", NAME, self.namespace)["spec"]
        # Only the pod can know that this file is not there.
        words = ("-y", "-i", IMAGE, "-e", "NATS_CA=/etc/nothing.pem")
        code, said = failing_deploy(self.namespace, self.server, *words)

        expect(code).to(equal(1))
        expect(said).to(
            contain("error: NATS_CA is '/etc/nothing.pem', expected a file that exists")
        )
        expect(stored("deployment", NAME, self.namespace)["spec"]).to(equal(was))

    with it("is removed with everything that belongs to it, on NATS too"):
        expect(self.server.consumers("FALCO")).not_to(be_empty)
        remove(self.namespace)

        streams = ("FALCO", "FALCO_INBOX")
        left = [self.server.call(f"CONSUMER.NAMES.{stream}")["total"] for stream in streams]
        expect(left).to(equal([0, 0]))
        expect(eventually(lambda: ours(self.namespace) == {}, 30)).to(equal(True))
        expect(roles_of(self.namespace)).to(be_empty)


with description("A worker, for the kubeless CLI,") as self:
    with before.all:
        self.server = Nats(address=node_address()).start()
        self.namespace = a_restricted_namespace()
        self.senders, self.others = a_namespace(), a_namespace()
        deploy(self.namespace, self.server, "-i", IMAGE, "-e", f"HTTP_FROM={self.senders}")

    with after.all:
        remove(self.namespace)
        for namespace in (self.namespace, self.senders, self.others):
            delete_namespace(namespace)
        self.server.remove()

    def call(self, *words):
        return kubeless("function", "call", NAME, "-n", self.namespace, *words)

    def log(self):
        return kubeless("function", "logs", NAME, "-n", self.namespace)

    def topics(self):
        """As the worker said last."""
        return self.log().rpartition(f"topics of {NAME}: ")[2].partition('"')[0]

    with it("is listed as ready, with its triggers"):
        expect(kubeless("function", "list", NAME, "-n", self.namespace)).to(contain("1/1 READY"))
        expect(kubeless("trigger", "nats", "list", "-n", self.namespace)).to(contain(TOPIC))

    with it("takes connections for alerts from the namespaces named, and for metrics from all"):
        address = workers(self.namespace)[0]["status"]["podIP"]
        (sender,), (other,) = map(start_deployment, (self.senders, self.others))

        def says(pod, port, path):
            asked = f"printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {address} {port}"
            return shell(pod, f"{asked} 2>/dev/null | head -n 1; true").strip()

        expect(eventually(lambda: "405" in says(sender, 8080, "/"), 30)).to(equal(True))
        expect(says(other, 8082, "/metrics")).to(contain("200"))
        expect([says(other, 8080, "/"), says(sender, 8081, "/healthz")]).to(equal(["", ""]))

    with it("has a log"):
        expect(self.log()).to(contain("topics of falco-delete: falco.critical.*"))

    with it("is counted"):
        found = kubeless("function", "top", "-n", self.namespace, "-o", "json")

        expect(found).to(contain(f'"{NAME}"'))

    with it("answers a call that has data with a dry run, and why it is one"):
        namespace = a_namespace()
        pod = a_gated_pod("web", namespace)
        called = self.call("--data", json.dumps(alert_about(pod)))

        expect(called).to(contain('"dry_run": true', '"status": "would act"', '"explanation"'))
        expect(stored("pod", "web", namespace)["metadata"]["uid"]).to(equal(pod["metadata"]["uid"]))
        delete_namespace(namespace)

    with it("refuses a call that has none, which the CLI makes as a GET"):
        # Its words for 405.
        expect(self.call()).to(contain("alerts are sent by POST", "does not allow this method"))

    with it("follows a trigger that the CLI creates and deletes, within 5 seconds"):
        selector = f"created-by=kubeless,function={NAME}"
        words = ("--function-selector", selector, "--trigger-topic", "falco.notice.*")
        place = ("by-hand", "-n", self.namespace)
        kubeless("trigger", "nats", "create", *place, *words)
        eventually(lambda: self.topics() == f"{TOPIC}, falco.notice.*", 5)
        listed = kubeless("trigger", "nats", "list", "-n", self.namespace)
        kubeless("trigger", "nats", "delete", *place)

        expect(listed).to(contain("by-hand"))
        expect(eventually(lambda: self.topics() == TOPIC, 5)).to(equal(True))

    with it("goes with everything that it owns when the CLI deletes it"):
        expect(len(ours(self.namespace))).to(be_above(7))
        kubeless("function", "delete", NAME, "-n", self.namespace)

        expect(eventually(lambda: ours(self.namespace) == {}, 60)).to(equal(True))
        expect(roles_of(self.namespace)).to(have_len(2))

    with it("leaves a role and a binding of the whole cluster, which -S sweeps"):
        _, said = deploy_playbook("-S")

        expect(said).to(contain(f"removed   ClusterRole {NAME}.{self.namespace}"))
        expect(roles_of(self.namespace)).to(be_empty)


with description("Deploying without an image") as self:
    with before.all:
        self.server = Nats(address=node_address()).start()
        self.namespace = a_restricted_namespace()

    with after.all:
        remove(self.namespace)
        delete_namespace(self.namespace)
        self.server.remove()

    with it("installs what the worker needs when its pod starts"):
        host = INDEX.split("/")[2].partition(":")[0]
        index = ("-e", f"PIP_INDEX_URL={INDEX}", "-e", f"PIP_TRUSTED_HOST={host}")
        said = deploy(self.namespace, self.server, *index)

        expect(said).to(contain("container install"))
        expect([is_ready(pod) for pod in workers(self.namespace)]).to(equal([True]))

    with it("says how the log ends of an installation that fails, and leaves what ran"):
        was = stored("deployment", NAME, self.namespace)["spec"]
        nowhere = ("-y", "-e", f"PIP_INDEX_URL=http://{node_address()}:9/", "-e", "PIP_RETRIES=0")
        code, said = failing_deploy(self.namespace, self.server, *nowhere)

        expect(code).to(equal(1))
        expect(said).to(contain("container install", "No matching distribution found"))
        expect(stored("deployment", NAME, self.namespace)["spec"]).to(equal(was))


with description("Where a controller of Kubeless is at work, -E kubernetes") as self:
    with before.all:
        self.server = Nats(address=node_address()).start()
        self.namespace = a_namespace()

    with after.all:
        delete_namespace(self.namespace)
        self.server.remove()

    with it("is refused with the reason, and leaves nothing"):
        code, said = failing_deploy(self.namespace, self.server, "-i", IMAGE)

        expect(code).to(equal(1))
        expect(said).to(
            contain("its finalizer kubeless.io/function is on", "deploy with -E kubeless")
        )
        expect(eventually(lambda: ours(self.namespace) == {}, 30)).to(equal(True))
        expect(roles_of(self.namespace)).to(be_empty)


with description("A resource definition, under another name,") as self:
    with before.all:
        # The real ones hold everybody's Functions.
        self.group = f"{a_name()}.example"
        self.namespace = a_namespace()
        for definition in definitions():
            text = json.dumps(definition).replace("kubeless.io", self.group)
            cleaned_up(f"{definition['spec']['names']['plural']}.{self.group}", "crd")
            create(json.loads(text))
        crds = [f"crd/{kind}.{self.group}" for kind in ("functions", "natstriggers")]
        kubectl("wait", "--for=condition=Established", "--timeout=30s", *crds)

    with after.all:
        for plural in ("functions", "natstriggers"):
            delete("crd", f"{plural}.{self.group}")
        delete_namespace(self.namespace)

    def made(self, name, **spec):
        """What the kubeless CLI prints, with some of its spec replaced, as this API has it."""
        manifest = yaml.safe_load((GOLDEN / name).read_text(encoding="utf-8"))
        manifest["apiVersion"] = f"{self.group}/v1beta1"
        manifest["metadata"] = {"name": a_name(), "namespace": self.namespace}
        manifest["spec"].update(spec)
        return manifest

    def refusal(self, name, **spec):
        try:
            create(self.made(name, **spec))
        except AssertionError as error:
            return str(error)
        return "no error"

    with it("takes what the kubeless CLI writes, and keep all of it"):
        for name in ("deploy.yaml", "deploy-secrets.yaml", "trigger.yaml"):
            wanted = self.made(name)
            (found,) = create(wanted)

            expect(found["spec"]).to(equal(wanted["spec"]))

    with it("takes a trigger that selects everything, which the CLI can write"):
        create(self.made("trigger.yaml", functionSelector={}))

    with it("refuses nonsense"):
        for name, spec in (
            ("deploy.yaml", {"handler": 3}),
            ("deploy.yaml", {"timeout": "soon"}),
            ("deploy.yaml", {"function-content-type": "zip"}),
            ("deploy.yaml", {"checksum": "sha256:x"}),
            ("deploy.yaml", {"deployment": "none"}),
            ("trigger.yaml", {"topic": "falco..x"}),
            ("trigger.yaml", {"topic": "falco.>.x"}),
            ("trigger.yaml", {"topic": 3}),
            ("trigger.yaml", {"functionSelector": "function=falco-delete"}),
        ):
            expect(self.refusal(name, **spec)).to(contain("invalid"))

    with it("shows what matters in columns"):
        create(self.made("deploy.yaml"), self.made("trigger.yaml"))
        functions = kubectl("get", f"functions.{self.group}", "-n", self.namespace)
        triggers = kubectl("get", f"natstriggers.{self.group}", "-n", self.namespace)

        expect(functions).to(contain("HANDLER", "RUNTIME", "delete.handler", "python3.8"))
        expect(triggers).to(contain("TOPIC", "FUNCTION", "falco.error.*", NAME))


def _only(*titles):
    """The example groups of this module whose title begins so."""
    return {
        key: value
        for key, value in globals().items()
        if getattr(value, "_example_group", False)
        and any(value._example_name.startswith(title) for title in titles)
    }


DEPLOYING = ("Deploying", "A worker", "Where a controller")
FREE = ("Deploying", "A worker")

not_run_unless(CLUSTER, globals())
if CLUSTER.holds:
    not_run_unless(program("nats-server"), _only(*DEPLOYING))
    not_run_unless(no_controller_at_work(), _only(*FREE))
    not_run_unless(
        Condition(controller_at_work(), "no controller of Kubeless is at work in this cluster"),
        _only("Where a controller"),
    )
    not_run_unless(WORKER_IMAGE, _only("Deploying with an image", "A worker"))
    not_run_unless(KUBELESS, _only("A worker"))
    not_run_unless(
        Condition(bool(INDEX), "it wants SPEC_PIP_INDEX_URL, a package index that pods reach"),
        _only("Deploying without an image"),
    )
