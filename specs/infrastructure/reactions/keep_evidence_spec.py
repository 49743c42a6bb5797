"""Evidence of a pod that goes on running: files and processes by commands in its container, and
what the playbook's own account may run there on a cluster that was set up."""

import io
import json
import tarfile
import tempfile
from functools import partial
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.infrastructure.kubernetes.exec import output
from specs.support.cluster.admission import HeldAccount, in_force, refusal_of
from specs.support.cluster.real_cluster import (
    a_name,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    create,
    delete_namespace,
    running_pod,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless

PREPARED = """\
mkdir /tmp/kept; printf 'found\\0it' > /tmp/kept/file; ln -s /dev/zero /tmp/endless
exec sleep 3600"""


def a_running_pod(namespace):
    name = a_name()
    create(a_pod_manifest(name, namespace, command=("sh", "-c", PREPARED)))
    return running_pod(name, namespace)


with description("Evidence of a pod that goes on running") as self:
    with before.all:
        self.namespace = a_namespace()
        self.pod = a_running_pod(self.namespace)
        self.directory = tempfile.TemporaryDirectory()
        outcome = answer(
            "evidence",
            alert_about(self.pod),
            LEDGER=f"{self.namespace}/evidence",
            EVIDENCE_URL=f"file://{self.directory.name}",
            EVIDENCE_FILES="/tmp/kept/file,/tmp/kept/,/tmp/endless,/not/there",
            EVIDENCE_FILE_BYTES="20480",
            EVIDENCE_PROCESSES="true",
            EVIDENCE_SNAPSHOTS="true",
        )
        self.outcome = outcome
        self.place = Path(outcome.details["evidence_url"][len("file://") :])

    with after.all:
        self.directory.cleanup()
        delete_namespace(self.namespace)

    with it("has files and directories, as they are, and what runs"):
        expect((self.outcome.reason, self.outcome.error)).to(equal(("evidence-kept", None)))
        expect((self.place / "files" / "1").read_bytes()).to(equal(b"found\0it"))
        packed = (self.place / "files" / "2.tar").read_bytes()
        with tarfile.open(fileobj=io.BytesIO(packed)) as directory:
            expect(directory.extractfile("tmp/kept/file").read()).to(equal(b"found\0it"))
        expect((self.place / "processes.txt").read_text()).to(contain("sleep 3600"))

    with it("is bounded, and says what it has only in part, and what not"):
        manifest = json.loads((self.place / "manifest.json").read_text())
        (endless,) = [each for each in manifest["files"] if each["name"] == "files/3"]

        expect([endless["size"], endless["cut"]]).to(
            equal([20480, "only the first 20480 bytes were read"])
        )
        expect(str(manifest["missing"])).to(contain("/not/there of main (cat ended with exit"))

    with it("leaves the pod as it is"):
        name = self.pod["metadata"]["name"]

        expect(stored("pod", name, self.namespace)["metadata"]).to(equal(self.pod["metadata"]))


with description("The account of evidence, on a cluster that was set up,") as self:
    with before.all:
        given = {"EVIDENCE_URL": "s3://evidence", "EVIDENCE_FILES": "/etc/hostname"}
        self.account = HeldAccount("evidence", **given)
        self.pod = a_running_pod(self.account.namespace)["metadata"]["name"]
        self.place = (self.account.api, self.account.namespace, self.pod, "main")
        run = partial(output, *self.place, most=9, seconds=5.0)
        in_force(partial(run, ["id"]), "runs nothing in a container but")
        in_force(partial(run, ["cat", "--", "/etc/passwd"]), "reads no files but those of")

    with after.all:
        self.account.end()

    with it("reads the files of its settings, and runs nothing else"):
        found = output(*self.place, ["cat", "--", "/etc/hostname"], most=1000, seconds=5.0)

        expect(found.content.decode().strip()).to(equal(self.pod))
        for words in (
            ["sh", "-c", "id"],
            ["cat", "--", "/etc/passwd"],
            ["cat", "/etc/hostname"],
            ["tar", "-cf", "-", "--checkpoint-action=exec=id", "/etc/hostname"],
        ):
            said = refusal_of(
                lambda words=words: output(*self.place, words, most=1000, seconds=5.0)
            )
            expect(said).to(contain("falco-playbook-evidence-pods-exec"))


not_run_unless(CLUSTER, globals())
