"""The playbook of docs/extending.md, deployed from its archive, acts and is looked at on a real
cluster."""

import io
import json
import shutil
import tempfile
import zipfile
from types import MappingProxyType

from expects import equal, expect
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.deployment.packaging.archive import worker_archive
from specs.support.cluster import real_cluster as cluster
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.conditions import program as on_the_path
from specs.support.own_playbooks import SHOWN, a_directory
from specs.support.processes import eventually
from specs.support.worker.worker_on_cluster import FUNCTION, IN_A_POD, Served

TOPIC = "falco.error.*"
LABEL = "acme.example/quarantine"


class Quarantine(Served):
    playbook = "quarantine"
    settings = MappingProxyType({"QUARANTINE_TICKET": "SEC-1"})


def unpacked(archive):
    """As the init container of a worker's pod does it."""
    directory = tempfile.mkdtemp(prefix="worker-code-")
    zipfile.ZipFile(io.BytesIO(archive)).extractall(directory)
    return directory


with description("A playbook of another repository, on a cluster") as self:
    with before.all:
        with a_directory(quarantine=SHOWN["quarantine.py"]) as directory:
            name = catalogue.named(str(directory / "quarantine.py"))
            self.code = unpacked(worker_archive(name))
            self.served = Quarantine(TOPIC)
            self.served.begin()
        # This program knows it no more: the worker has it from its archive, and nothing else.
        settings = {"PYTHONPATH": self.code, "PYTHONSAFEPATH": "1", "VERIFY_AFTER": "1s"}
        settings["LEDGER"] = f"{FUNCTION}-ledger"
        self.worker = self.served.start_serving(**settings, **IN_A_POD)

    with after.all:
        self.served.end()
        shutil.rmtree(self.code)

    with it("acts with the rights that it declares, and is seen to have worked"):
        namespace = self.served.namespace
        pod = cluster.a_gated_pod("suspect", namespace)
        alert = cluster.alert_about(pod, priority="Error", rule="Shell in pod")
        self.served.nats.publish(("falco.error.x", json.dumps(alert).encode()))

        def both():
            found = [line["reason"] for line in self.worker.outcomes]
            assert len(found) == 2, found
            return found

        expect(eventually(both)).to(equal(["quarantined", "verified"]))
        labels = cluster.kubectl_json("get", "pod", "suspect", "-n", namespace)["metadata"][
            "labels"
        ]
        expect(labels[LABEL]).to(equal("SEC-1"))


not_run_unless(CLUSTER, globals())
not_run_unless(on_the_path("nats-server"), globals())
