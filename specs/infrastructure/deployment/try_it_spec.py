"""docs/try-it.md on a real cluster, as it stands, and upon it README's sections about deploying and
removing: kind and Helm do nothing, and the cluster has the images that the page pulls
(.ci/worker-images).

``deploy_playbook`` is given the image of the worker, which has what the stock one installs from
PyPI, and for README the NATS user of the page. Left out: the virtual environment, which is there; a
shell that waits for Falco; and taking away what -S made, which other specs share.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from expects import be_above, contain, equal, expect, start_with
from mamba import after, before, description, it

from specs.support.cluster.engines import IMAGE, WORKER_IMAGE, no_controller_at_work, on_the_node
from specs.support.cluster.real_cluster import cleaned_up, create, kubectl, stored
from specs.support.conditions import CLUSTER, Condition, not_run_unless, program
from specs.support.processes import ROOT

PAGE = (ROOT / "docs" / "try-it.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LEFT_OUT = (
    "python3 -m venv",
    "kubeless",
    "kind create",
    "kubectl exec -it",
    "-S -d | kubectl delete",
)
NAMESPACES = ("playbooks", "shop", "falco", "nats-io")
IMAGES = ("library/nats:2.11-alpine", "library/nginx:1.29")

# Falcosidekick, between the sections 4 and 5: its user publishes an alert, and may nothing else.
FALCOSIDEKICK = """\
url=$(kubectl get secret falcosidekick-nats -n falco -o jsonpath='{.data.NATS_HOSTPORT}' |
  base64 -d)
alert >alert.json
name=$(pod .metadata.name)
"$PYTHON" publish.py "$url" "$(kubectl get service nats -n nats-io -o jsonpath='{.spec.clusterIP}')"
kubectl wait --for=delete "pod/$name" -n shop --timeout=60s
kubectl rollout status deployment web -n shop
"""

PUBLISH = """\
import asyncio, sys
import nats

async def main(url, address):
    refused = asyncio.Event()
    async def error(said):
        if "permissions violation" in str(said).lower():
            refused.set()
    url = url.replace("nats.nats-io.svc.cluster.local", address)
    client = await nats.connect(url, error_cb=error)
    alert = open("alert.json", "rb").read()
    await client.publish("falco.notice.terminal_shell_in_container", alert)
    await client.publish("falco-inbox.x", b"{}")
    await client.flush()
    await asyncio.wait_for(refused.wait(), 10)
    print("Falcosidekick published an alert, and was refused an inbox")
    await client.close()

asyncio.run(main(*sys.argv[1:]))
"""


def blocks(section):
    found = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [block for block in found if not any(words in block for words in LEFT_OUT)]


def of_the_readme():
    sections = re.findall(r"^## (?:Deploy|Remove)\n(.*?)(?=^## )", README, re.MULTILINE | re.DOTALL)
    return "".join(block for section in sections for block in blocks(section))


def script():
    """The page's commands in turn, in one shell."""
    parts = []
    for title, section in re.findall(
        r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL
    ):
        if title.startswith("5."):
            parts.append(FALCOSIDEKICK)
        parts.append(f"echo '== {title}'\n")
        if title.startswith("6."):
            section = section.replace("helm uninstall falco -n falco\n", of_the_readme())
        parts += blocks(section)
    # What runs in the background holds the pipes of this one.
    return (
        "set -euo pipefail\ntrap 'kill %1 2>/dev/null || true' EXIT\nkind() { :; }\nhelm() { :; }\n"
        + "".join(parts)
    )


AS_USER = """\
case " $* " in *NATS_USER* | *" --with-nats "*) ;; *" -t "*)
    set -- "$@" -s NATS_USER=falco-delete-nats/NATS_USER
    set -- "$@" -s NATS_PASSWORD=falco-delete-nats/NATS_PASSWORD ;;
esac"""


def a_clone():
    """A directory with what the page uses of one."""
    clone = Path(tempfile.mkdtemp(prefix="try-it-"))
    (clone / "docs").symlink_to(ROOT / "docs")
    (clone / "publish.py").write_text(PUBLISH)
    own = clone / "deploy_playbook"
    own.write_text(
        "#!/bin/bash\n"
        f'case " $* " in *" --with-nats "* | *" -t "*) set -- "$@" -i {IMAGE} ;; esac\n'
        f"{AS_USER}\n"
        f'exec {ROOT}/deploy_playbook "$@"\n'
    )
    own.chmod(0o755)
    installed = clone / "bin" / "falco-playbook"
    installed.parent.mkdir()
    installed.write_text('#!/bin/bash\nexec "$PYTHON" -m playbooks.commands "$@"\n')
    installed.chmod(0o755)
    return clone


def a_kubeconfig(directory, namespace):
    """As the present one, in that namespace."""
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    path = directory / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def a_volume():
    """For the claim of NATS, where no provisioner makes one."""
    path = tempfile.mkdtemp(prefix="nats-")
    terms = {"key": "kubernetes.io/hostname", "operator": "Exists"}
    create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "falco-spec-nats"},
            "spec": {
                "capacity": {"storage": "2Gi"},
                "accessModes": ["ReadWriteOnce"],
                "local": {"path": path},
                "claimRef": {"name": "data-nats-0", "namespace": "nats-io"},
                "nodeAffinity": {
                    "required": {"nodeSelectorTerms": [{"matchExpressions": [terms]}]}
                },
            },
        }
    )
    cleaned_up("falco-spec-nats", "persistentvolume")
    return path


with description("docs/try-it.md, from nothing to a pod that is deleted") as self:
    with before.all:
        for name in NAMESPACES:
            assert stored("namespace", name) is None, f"the namespace {name} is in use"
            cleaned_up(name, "namespace")
        self.directories = [a_clone(), a_volume()]
        path = f"{self.directories[0]}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.done = subprocess.run(
            ["bash", "-c", script()],
            cwd=self.directories[0],
            env={
                **os.environ,
                "PATH": path,
                "PYTHON": sys.executable,
                "PYTHONPATH": str(ROOT),
                "KUBECONFIG": str(a_kubeconfig(self.directories[0], "playbooks")),
            },
            capture_output=True,
            text=True,
            timeout=400,
        )
        self.said = self.done.stdout
        parts = re.split(r"^== (\d)\..*\n", self.said, flags=re.MULTILINE)
        self.of = dict(zip(parts[1::2], parts[2::2]))

    with after.all:
        for directory in self.directories:
            shutil.rmtree(directory)

    with it("ends well"):
        expect(f"exit code {self.done.returncode}\n{self.said}{self.done.stderr}").to(
            start_with("exit code 0\n")
        )

    with it("sets NATS up with a Secret for the worker, and prints Falcosidekick's values"):
        expect(self.of["1"]).to(
            contain(
                "created   StatefulSet nats-io/nats\n",
                "existingSecret: falcosidekick-nats\n",
                "-s NATS_USER=falco-delete-nats/NATS_USER",
                "-s NATS_PASSWORD=falco-delete-nats/NATS_PASSWORD",
            )
        )

    with it("deploys a worker that warns of nothing"):
        said = "".join(self.of[number] for number in "12345")

        expect(said + self.done.stderr).not_to(contain("warning"))

    with it("deletes the pod of a test alert, and says so in the reply, the log and the history"):
        expect(self.of["4"].count('"reason": "deletion-accepted"')).to(equal(2))
        expect(self.of["4"]).to(contain("shop/web-", "Terminating"))

    with it("publishes one as Falcosidekick does"):
        expect(self.of["4"]).to(contain("published on falco.notice.terminal_shell_in_container"))

    with it("answers what Falcosidekick's user publishes, which may publish nothing else"):
        expect(self.of["4"]).to(contain("was refused an inbox", "condition met"))

    with it("holds an alert while it is paused, and acts on it once it is redelivered"):
        acted = re.findall("Terminal shell in container", self.of["5"])

        expect(self.of["5"]).to(contain("paused"))
        expect(len(acted)).to(be_above(3))

    with it("deploys as README says, checks, shows the history, pauses and removes"):
        said = self.of["6"]

        expect(said.count("falco-delete-trigger-0 answers falco.critical.*")).to(equal(2))
        expect(said).to(contain("removed   Function playbooks/falco-delete"))

    with it("leaves nothing behind"):
        kubectl("wait", "--for=delete", "namespace", *NAMESPACES, "--timeout=120s", seconds=130)

        expect([stored("namespace", name) for name in NAMESPACES]).to(equal([None] * 4))


not_run_unless(CLUSTER, globals())
not_run_unless(no_controller_at_work(), globals())
not_run_unless(WORKER_IMAGE, globals())
not_run_unless(
    Condition(CLUSTER.holds and all(map(on_the_node, IMAGES)), f"no node has {', '.join(IMAGES)}"),
    globals(),
)
not_run_unless(program("curl"), globals())
