import json
import tempfile
from pathlib import Path

from expects import be_empty, contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import EvidenceUnavailable, InvalidSetting, Refused
from playbooks.core.outcome import Status
from playbooks.core.settings import read
from playbooks.evidence import playbook
from playbooks.infrastructure import wiring
from playbooks.testing import (
    UID,
    FakeEvidence,
    FixedClock,
    InMemoryCluster,
    a_pod,
    an_alert,
    some_collaborators,
)

PLACE = {"EVIDENCE_URL": "s3://evidence"}


def a_claiming_pod(*claims):
    volumes = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in claims]
    return a_pod(spec={"volumes": [*volumes, {"name": "tmp", "emptyDir": {}}]})


with description("Keeping evidence") as self:
    with before.each:
        self.cluster, self.evidence = InMemoryCluster(a_pod()), FakeEvidence()

    def answer(self, evidence=None, **settings):
        collaborators = some_collaborators(self.cluster, evidence=evidence or self.evidence)
        return playbook.responder({**PLACE, **settings}, collaborators).answer(an_alert())

    with it("keeps a set, says where it is, and changes nothing"):
        outcome = self.answer()

        expect([outcome.status, outcome.reason]).to(equal([Status.ACTED, "evidence-kept"]))
        expect(outcome.message).to(
            equal(f"kept evidence of pod shop/web-0: evidence is in {FakeEvidence.URL}")
        )
        expect(outcome.details["evidence_url"]).to(equal(FakeEvidence.URL))
        expect(self.cluster.writes).to(be_empty)

    with it("keeps one set an hour, whatever reading it has caused"):
        self.answer()
        again = self.answer()

        expect([again.status, again.reason]).to(equal([Status.SKIPPED, "already-kept"]))
        expect(len(self.evidence.kept)).to(equal(1))

    with it("is tried again where nothing was stored"):
        failing = FakeEvidence(error=EvidenceUnavailable("no bucket"))

        expect(self.answer(failing).reason).to(equal("evidence-unavailable"))
        expect(self.answer().reason).to(equal("evidence-kept"))

    with it("is held to the proof and the guards"):
        self.cluster.put(a_pod("web-0", uid="another", statuses=[]))

        expect(self.answer().status).not_to(equal(Status.ACTED))
        self.cluster.put(a_pod())
        expect(self.answer(PROTECTED_NAMESPACES="shop").reason).to(equal("protected-namespace"))
        expect(self.answer(DRY_RUN="true").status).to(equal(Status.WOULD_ACT))
        expect(self.evidence.kept).to(be_empty)

    with it("needs a place, and takes no paths that are not absolute"):
        for name, text, words in (
            ("EVIDENCE_URL", "", "EVIDENCE_URL is '', expected s3://"),
            ("EVIDENCE_FILES", "etc/passwd", "absolute paths"),
            ("EVIDENCE_FILES", ",".join(f"/{n}" for n in range(21)), "at most 20"),
        ):
            expect(lambda n=name, t=text: playbook.responder({**PLACE, n: t})).to(
                raise_error(InvalidSetting, contain(words))
            )
        expect(lambda: playbook.responder({})).to(
            raise_error(InvalidSetting, contain("EVIDENCE_URL is not set"))
        )

    with it("may run commands and make snapshots only where that is set"):

        def verbs(**values):
            rights = playbook.rights({**PLACE, **values})
            return {
                p.resource: p.verbs
                for p in rights
                if p.resource in ("pods/exec", "volumesnapshots")
            }

        expect(verbs()).to(equal({}))
        expect(verbs(EVIDENCE_PROCESSES="false", EVIDENCE_SNAPSHOTS="false")).to(equal({}))
        for values in (
            {"EVIDENCE_FILES": "/etc/passwd"},
            {"EVIDENCE_PROCESSES": "true"},
            {"EVIDENCE_PROCESSES": "True"},
        ):
            expect(verbs(**values)).to(equal({"pods/exec": ("get", "create")}))
        expect(verbs(EVIDENCE_SNAPSHOTS="true")).to(equal({"volumesnapshots": ("create",)}))
        expect(playbook.installs({**PLACE, "EVIDENCE_FILES": "/a"})).to(contain("websocket-client"))

with description("The optional steps of evidence") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()

    with after.each:
        self.directory.cleanup()

    def kept(self, cluster, *, claims=("data",), **values):
        """The set that is stored."""
        given = {"EVIDENCE_URL": f"file://{self.directory.name}", **values}
        settings = read(playbook.settings, given)
        evidence = wiring.evidence_of(settings, cluster, FixedClock())
        self.missing = evidence.keep(a_claiming_pod(*claims), an_alert()).missing
        (manifest,) = Path(self.directory.name).rglob("manifest.json")
        self.place = manifest.parent
        return [entry["name"] for entry in json.loads(manifest.read_text())["files"]]

    def a_cluster(self):
        cluster = InMemoryCluster(a_claiming_pod("data"))
        cluster.logs = {("web", False): b"one\n"}
        cluster.outputs = {
            ("web", "cat", "--", "/etc/../x"): b"\x00\xffbytes",
            ("web", "tar", "-cf", "-", "--", "/tmp/"): b"tar" * 1000,
            ("web", "ps", "-ef"): b"1 mysql -pS3cret\n",
        }
        return cluster

    with it("are files and directories under names of their numbers, as they are and bounded"):
        names = self.kept(
            self.a_cluster(),
            EVIDENCE_FILES="/etc/../x,/tmp/,/not/there",
            EVIDENCE_FILE_BYTES="1024",
        )

        expect(names).to(contain("files/1", "files/2.tar"))
        expect((self.place / "files" / "1").read_bytes()).to(equal(b"\x00\xffbytes"))
        expect(len((self.place / "files" / "2.tar").read_bytes())).to(equal(1024))
        expect(self.missing).to(
            equal(("/not/there of web (cat ended with exit code 1: no such file)",))
        )

    with it("are processes, redacted"):
        names = self.kept(self.a_cluster(), EVIDENCE_PROCESSES="true")

        expect(names).to(contain("processes.txt"))
        expect((self.place / "processes.txt").read_text()).to(equal("1 mysql -p***\n"))

    with it("are said to be cut, also where that which is hidden is longer than it was"):
        cluster = self.a_cluster()
        cluster.outputs[("web", "ps", "-ef")] = b"1 mysql -pS3\n" * 78
        self.kept(cluster, EVIDENCE_PROCESSES="true", EVIDENCE_LOG_BYTES="1024")

        kept = (self.place / "processes.txt").read_bytes()
        entries = json.loads((self.place / "manifest.json").read_text())["files"]
        (entry,) = (entry for entry in entries if entry["name"] == "processes.txt")
        expect((len(kept), entry["cut"])).to(equal((1024, "the last 68 bytes are left out")))

    with it("take of the same bytes as logs do"):
        cluster = self.a_cluster()
        cluster.logs = {("web", False): b"x" * 1023 + b"\n"}
        names = self.kept(cluster, EVIDENCE_BYTES="1024", EVIDENCE_FILES="/etc/../x")

        expect(names).not_to(contain("files/1"))
        expect(self.missing).to(equal(("/etc/../x of web (EVIDENCE_BYTES are used up)",)))

    with it("are snapshots of the pod's claims, named after its uid, or said to be missing"):
        cluster = self.a_cluster()
        made = []
        cluster.create_snapshot = made.append
        names = self.kept(cluster, EVIDENCE_SNAPSHOTS="true")
        (snapshot,) = made

        expect(names).to(contain("snapshots.json"))
        expect(snapshot["metadata"]["name"]).to(equal(f"falco-evidence-{UID}-1767322800-1"))
        expect(snapshot["spec"]).to(equal({"source": {"persistentVolumeClaimName": "data"}}))

        def refuse(_):
            raise Refused("no class")

        cluster.create_snapshot = refuse
        self.directory.cleanup()
        self.directory = tempfile.TemporaryDirectory()
        expect(self.kept(cluster, EVIDENCE_SNAPSHOTS="true")).not_to(contain("snapshots.json"))
        expect(self.missing).to(equal(("a snapshot of claim data (no class)",)))

    with it("are snapshots of ten claims at most, and the others are said to be missing"):
        cluster = self.a_cluster()
        cluster.create_snapshot = lambda _: None
        claims = [f"data-{number}" for number in range(12)]
        self.kept(cluster, claims=claims, EVIDENCE_SNAPSHOTS="true")

        words = "snapshots are made of 10 claims at most"

        expect(self.missing).to(
            equal(tuple(f"a snapshot of claim {claim} ({words})" for claim in claims[10:]))
        )

    with it("are none that nobody asked for"):
        cluster = self.a_cluster()
        self.kept(cluster)

        expect(cluster.calls).not_to(contain("output_of"))
