import base64
import io
import zipfile
from dataclasses import replace
from pathlib import Path

from expects import be_empty, contain, equal, expect, have_key, have_keys
from mamba import description, it

from playbooks.core.cluster.manifest import identity
from playbooks.deployment import terminal
from playbooks.deployment.manifests import worker_pod
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.infrastructure import wiring
from specs.deployment.mothers import EXISTING, TOKEN, a_worker_request, documents_of, worker_objects

GOLDEN = Path(__file__).parents[1] / "golden"
IMAGE = "registry.example/falco-playbooks:1"


def the(kind, made, name=None):
    """The one object of that kind."""
    (found,) = [
        m for m in made.in_order if m["kind"] == kind and name in (None, m["metadata"]["name"])
    ]
    return found


def template(made):
    return the("Deployment", made)["spec"]["template"]


def pod(made):
    return template(made)["spec"]


def worker(made):
    return pod(made)["containers"][0]


def revision(made):
    return template(made)["metadata"]["annotations"]["falco/revision"]


def archive(playbook="delete", *arguments):
    made = worker_objects(a_worker_request(playbook, *arguments))
    return the("ConfigMap", made, f"falco-{playbook}-worker")


def env(*arguments, playbook="delete", **pods):
    made = worker_objects(a_worker_request(playbook, *arguments), **pods)
    return {entry["name"]: entry.get("value") for entry in worker(made)["env"]}


def ports(*arguments, existing=EXISTING):
    made = worker_objects(a_worker_request("delete", *arguments), existing=existing)
    rules = the("NetworkPolicy", made)["spec"]["egress"]
    return [p["port"] for rule in rules for p in rule["ports"] if p["protocol"] == "TCP"]


def sources(*arguments, existing=EXISTING):
    """By port: the namespaces and networks that are let in."""

    def name(peer):
        if "ipBlock" in peer:
            return peer["ipBlock"]["cidr"]
        return peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]

    def peers(rule):
        return [name(peer) for peer in rule["from"]] if "from" in rule else "anywhere"

    made = worker_objects(a_worker_request("delete", *arguments), existing=existing)
    rules = the("NetworkPolicy", made)["spec"]["ingress"]
    return [(rule["ports"][0]["port"], peers(rule)) for rule in rules]


def but_for_archives(made):
    """What changes with every line of source or hash of it, left out."""
    text = terminal.documents(made.in_order)
    documents = list(documents_of(text))
    for document in documents:
        if document["kind"] == "Function" and "function" in document["spec"]:
            document["spec"].update({"checksum": "...", "function": "..."})
        if "binaryData" in document:
            document["binaryData"] = dict.fromkeys(document["binaryData"], "...")
        if document["kind"] == "Deployment":
            document["spec"]["template"]["metadata"]["annotations"]["falco/revision"] = "..."
    return documents


def golden(name):
    return list(documents_of((GOLDEN / name).read_text(encoding="utf-8")))


with description("The objects of a worker") as self:
    with it("are these, with the stock image"):
        expect(but_for_archives(worker_objects())).to(equal(golden("worker.yaml")))

    with it("are these, with an image, two workers and a patch"):
        wanted = a_worker_request("slack", "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/x")
        patch = {"spec": {"priorityClassName": "security", "tolerations": [{"operator": "Exists"}]}}
        made = worker_objects(wanted, image=IMAGE, replicas=2, patch=patch)

        expect(but_for_archives(made)).to(equal(golden("worker-image.yaml")))

    with it("have the Function and the triggers that Kubeless would have"):
        made = worker_objects()

        expect(the("Function", made)["spec"]).to(have_keys(handler="delete.handler"))
        expect(the("NATSTrigger", made)["spec"]["topic"]).to(equal("falco.error.*"))

    with it("have a container and a selector by which the kubeless CLI finds them"):
        made = worker_objects()
        labels = {"created-by": "kubeless", "function": "falco-delete"}

        expect(worker(made)["name"]).to(equal("falco-delete"))
        expect(template(made)["metadata"]["labels"]).to(equal(labels))
        expect(the("Service", made)["spec"]["selector"]).to(equal(labels))

    with it("let the worker read its Function by the shared role, in its namespace"):
        made = worker_objects(namespace="ops")

        expect(the("RoleBinding", made, "falco-delete-worker")).to(
            have_keys(
                roleRef={
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "falco-playbook-worker",
                }
            )
        )
        binding = the("RoleBinding", made, "falco-delete-worker")
        expect(binding["metadata"]["namespace"]).to(equal("ops"))

    with it("have no disruption budget for a single worker"):
        kinds = [m["kind"] for m in worker_objects().in_order]

        expect(kinds).not_to(contain("PodDisruptionBudget"))

    with it("roll such that there are never fewer workers than asked for"):
        spec = the("Deployment", worker_objects(replicas=3))["spec"]

        expect(spec["replicas"]).to(equal(3))
        expect(spec["strategy"]["rollingUpdate"]).to(equal({"maxSurge": 1, "maxUnavailable": 0}))


with description("The archive of a worker") as self:
    with it("can be imported as a package, with its playbook and the worker"):
        made = archive()
        content = base64.b64decode(made["binaryData"]["worker.zip"])
        files = zipfile.ZipFile(io.BytesIO(content)).namelist()

        expect(files).to(
            contain(
                "playbooks/__init__.py",
                "playbooks/delete.py",
                "playbooks/engines/worker/__main__.py",
                "playbooks/engines/worker/settings.py",
                "playbooks/infrastructure/kubernetes/kubeless.py",
            )
        )
        expect([f for f in files if "deployment" in f or "/local" in f]).to(be_empty)

    with it("comes with what it needs, pinned"):
        made = archive("taint")

        expect(made["data"]["requirements.txt"]).to(
            contain("nats-py==", "prometheus-client==", "h11==", "urllib3==")
        )
        expect(made["data"]["requirements.txt"]).not_to(contain("nkeys"))

    with it("comes with what credentials need where there are some"):
        made = archive("delete", "-s", "NATS_CREDS=nats/creds")

        expect(made["data"]["requirements.txt"]).to(contain("nkeys==", "pynacl=="))

    with it("needs nothing that a function of Kubeless would install"):
        deps = the("Function", worker_objects())["spec"]["deps"]

        expect(deps).to(equal(requirements(wiring.PACKAGES)))

    with it("installs what stores evidence where it is kept, and so does the Function"):
        made = worker_objects(a_worker_request("delete", "-e", "EVIDENCE_URL=s3://evidence"))

        archive = the("ConfigMap", made, "falco-delete-worker")
        expect(archive["data"]["requirements.txt"]).to(contain("s3fs=="))
        expect(the("Function", made)["spec"]["deps"]).to(contain("s3fs=="))

    with it("is not there where the image has everything"):
        made = worker_objects(image=IMAGE)

        expect([m for m in made.in_order if "binaryData" in m]).to(be_empty)
        expect(pod(made)).not_to(have_key("initContainers"))
        expect(worker(made)["image"]).to(equal(IMAGE))


with description("The settings of a worker") as self:
    with it("say what it is"):
        expect(env()).to(
            have_keys(PLAYBOOK="delete", FUNCTION_NAME="falco-delete", FUNCTION_NAMESPACE="default")
        )

    with it("have a token that was generated, in a file"):
        made = worker_objects()

        expect(env()["HTTP_TOKEN_FILE"]).to(equal("/falco-delete/HTTP_TOKEN"))
        expect(base64.b64decode(the("Secret", made)["data"]["HTTP_TOKEN"]).decode()).to(
            equal(TOKEN)
        )

    with it("have no token where HTTP is off"):
        made = worker_objects(a_worker_request("delete", "-e", "HTTP=off"))

        expect(the("Secret", made)["data"]).not_to(have_key("HTTP_TOKEN"))

    with it("have the token that is given"):
        wanted = a_worker_request("delete", "-e", "HTTP_TOKEN=sixteen-letters-and-more")
        stored = the("Secret", worker_objects(wanted))["data"]["HTTP_TOKEN"]

        expect(base64.b64decode(stored).decode()).to(equal("sixteen-letters-and-more"))

    with it("have secrets in files, such as NATS' URL with its password"):
        wanted = a_worker_request("delete", "-e", "NATS_URL=nats://me:hunter2@nats:4222")
        made = worker_objects(wanted)

        expect(env("-e", "NATS_URL=nats://me:hunter2@nats:4222")["NATS_URL_FILE"]).to(
            equal("/falco-delete/NATS_URL")
        )
        for manifest in made.in_order:
            if manifest["kind"] != "Secret":
                expect(str(manifest)).not_to(contain("hunter2"))

    with it("have files by their content, in the Secret, and their path in the variable"):
        pem = "-----BEGIN CERTIFICATE-----\nxyz\n-----END CERTIFICATE-----"
        wanted = a_worker_request("delete", "-e", f"NATS_CA={pem}")

        expect(env("-e", f"NATS_CA={pem}")["NATS_CA"]).to(equal("/falco-delete/NATS_CA"))
        expect(the("Secret", worker_objects(wanted))["data"]).to(have_key("NATS_CA"))

    with it("have files of Secrets that exist, and of the pod, by their path"):
        expect(env("-s", "NATS_CREDS=nats/creds")["NATS_CREDS"]).to(
            equal("/falco-secrets/nats/creds")
        )
        expect(env("-e", "NATS_CA=/etc/ssl/nats.pem")["NATS_CA"]).to(equal("/etc/ssl/nats.pem"))

    with it("have the two halves of a key for S3 as files of a Secret that exists"):
        halves = ("-s", "AWS_ACCESS_KEY_ID=minio/id", "-s", "AWS_SECRET_ACCESS_KEY=minio/key")
        given = env(*halves)

        expect(given["AWS_ACCESS_KEY_ID_FILE"]).to(equal("/falco-secrets/minio/id"))
        expect(given["AWS_SECRET_ACCESS_KEY_FILE"]).to(equal("/falco-secrets/minio/key"))

    with it("reach the installation only where they are no settings of ours"):
        wanted = a_worker_request(
            "delete", "-e", "HTTPS_PROXY=http://proxy:3128", "-e", "RULES=Terminal*"
        )
        install = pod(worker_objects(wanted))["initContainers"][0]

        expect([entry["name"] for entry in install["env"]]).to(
            equal(["HOME", "HTTPS_PROXY", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"])
        )

    with it("leave the pod more time than the worker takes to end"):
        made = worker_objects(a_worker_request("delete", "-e", "SHUTDOWN_SECONDS=50"))

        expect(pod(made)["terminationGracePeriodSeconds"]).to(equal(60))


with description("The revision of a worker") as self:
    with it("stays where nothing changes"):
        expect(revision(worker_objects())).to(equal(revision(worker_objects())))

    with it("changes with a setting, a secret, a Secret that is referred to, an image, a patch"):
        secret = a_worker_request("delete", "-e", "NATS_PASSWORD=other")
        referenced = replace(EXISTING, referenced={"NATS_PASSWORD": "other"})
        changed = [
            worker_objects(a_worker_request("delete", "-e", "V=1")),
            worker_objects(secret),
            worker_objects(existing=referenced),
            worker_objects(image=IMAGE),
            worker_objects(patch={"spec": {"nodeSelector": {"a": "b"}}}),
        ]

        expect(len({revision(made) for made in [worker_objects(), *changed]})).to(equal(6))

    with it("stays when the token is another one, which the worker reads anew each time"):
        other = replace(EXISTING, token="another-token-of-some-length")

        expect(revision(worker_objects(existing=other))).to(equal(revision(worker_objects())))

    with it("cannot be guessed from a password"):
        wanted = a_worker_request("delete", "-e", "NATS_PASSWORD=other")
        keyed = replace(EXISTING, hash_key="another-key-of-some-length")

        expect(revision(worker_objects(wanted, existing=keyed))).not_to(
            equal(revision(worker_objects(wanted)))
        )


with description("The network policy of a worker") as self:
    with it("lets it out on the ports of DNS, the API server, NATS and HTTPS"):
        expect(ports()).to(equal([53, 443, 4222, 6443]))

    with it("lets it out where its settings say that somebody is"):
        expect(
            ports(
                *("-e", "NATS_URL=tls://a:5222,tls://b:5223"),
                *("-e", "HTTPS_PROXY=http://proxy:3128"),
            )
        ).to(equal([53, 443, 3128, 5222, 5223, 6443]))

    with it("lets it out where evidence is kept, and where a client without a key asks for one"):
        s3 = ("-e", "EVIDENCE_URL=s3://evidence/a")

        expect(ports(*s3, "-e", "AWS_ENDPOINT_URL=http://minio:9000")).to(
            equal([53, 80, 443, 4222, 6443, 9000])
        )
        expect(ports("-e", "EVIDENCE_URL=gs://evidence")).to(contain(80, 443, 988))
        expect(ports("-e", "EVIDENCE_URL=file:///evidence")).to(equal(ports()))

    with it("lets it out where a Secret says that NATS is"):
        existing = replace(EXISTING, referenced={"NATS_URL": "nats://u:p@nats:7222"})

        expect(ports("-s", "NATS_URL=nats/url", existing=existing)).to(contain(7222))

    with it("knows where the API server is"):
        expect(ports(existing=replace(EXISTING, api_ports=(443, 8443)))).to(contain(8443))

    with it("lets those out that run before, until the new ones run"):
        made = worker_objects(existing=replace(EXISTING, ports_before=(7222,)))
        afterwards, _ = made.afterwards

        expect(str(the("NetworkPolicy", made)["spec"])).to(contain("7222"))
        expect(str(afterwards["spec"])).not_to(contain("7222"))
        expect(identity(afterwards)).to(equal(identity(the("NetworkPolicy", made))))

    with it("lets alerts in from Falco's namespace and the API server, and reads of metrics"):
        expect(sources()).to(equal([(8080, ["falco", "192.0.2.1/32"]), (8082, "anywhere")]))

    with it("lets alerts and reads in from the namespaces that are named"):
        named = sources("-e", "HTTP_FROM=falco,ops", "-e", "METRICS_FROM=monitoring")

        expect(named).to(equal([(8080, ["falco", "ops", "192.0.2.1/32"]), (8082, ["monitoring"])]))
        expect(sources("-e", "HTTP_FROM=any")[0]).to(equal((8080, "anywhere")))

    with it("lets no pod post where alerts are not taken by HTTP"):
        expect(sources("-e", "HTTP=off")[0]).to(equal((8080, ["192.0.2.1/32"])))
        unknown = replace(EXISTING, api_addresses=())

        expect(sources("-e", "HTTP=off", existing=unknown)).to(equal([(8082, "anywhere")]))

    with it("lets nobody in to the port of the probes"):
        expect([port for port, _ in sources()]).not_to(contain(worker_pod.PROBE_PORT))


with description("A patch") as self:
    with it("cannot take the labels off by which the pods are found"):
        made = worker_objects(patch={"metadata": {"labels": {"function": "x", "team": "red"}}})

        expect(template(made)["metadata"]["labels"]).to(
            equal({"created-by": "kubeless", "function": "falco-delete", "team": "red"})
        )
