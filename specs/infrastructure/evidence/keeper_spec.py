"""Offline: what is kept of a pod in memory, in files in memory and in a directory."""

import json
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

from expects import be_above, be_below, be_empty, be_none, contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import (
    ClusterUnavailable,
    EvidenceUnavailable,
    InvalidSetting,
    NotPermitted,
)
from playbooks.core.evidence import settings as evidence
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import read
from playbooks.infrastructure.evidence import files as evidence_files
from playbooks.infrastructure.evidence.files import EvidenceFiles
from playbooks.infrastructure.evidence.keeper import EvidenceKeeper
from playbooks.testing import (
    CONTAINER,
    OTHER_CONTAINER,
    UID,
    FixedClock,
    InMemoryCluster,
    a_pod,
    a_status,
    an_alert,
    an_event,
)

PLACE = f"shop/web-0/20260102T030000.000000000Z-{UID}"


class FilesInMemory:
    """``error`` is raised by the write of which the path ends with ``at``."""

    url = "s3://evidence"

    def __init__(self):
        self.stored, self.error, self.at, self.seconds = {}, None, "", []

    def write(self, path, content, *, seconds):
        self.seconds.append(seconds)
        if self.error and path.endswith(self.at):
            raise self.error
        self.stored[path] = content

    def read(self, path, *, seconds):
        return self.stored.get(path)

    def file(self, name):
        return self.stored.get(f"{PLACE}/{name}")

    @property
    def names(self):
        return [path[len(PLACE) + 1 :] for path in self.stored]

    @property
    def manifest(self):
        return json.loads(self.file("manifest.json"))


class Seconds:
    """A clock that a call of the cluster moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def settings_of(**values):
    declared = [*evidence.SETTINGS]
    return {
        **read(declared, {"EVIDENCE_URL": "s3://evidence", **values}),
        "CLUSTER_FIELD": "cluster",
    }


def a_pod_of_two():
    statuses = [
        a_status("web", CONTAINER),
        a_status("side", OTHER_CONTAINER, restartCount=1),
    ]
    names = {
        "initContainers": [{"name": "init"}],
        "containers": [{"name": "side"}, {"name": "web"}],
    }
    return a_pod(statuses=statuses, spec=names)


with description("The evidence of a pod") as self:
    with before.each:
        self.pod = a_pod_of_two()
        self.cluster = InMemoryCluster(self.pod)
        self.cluster.logs = {
            ("web", False): b"one\nlogin with password=hunter2\n",
            ("side", False): b"beside\n",
            ("side", True): b"crashed\n",
            ("init", False): b"prepared\n",
        }
        self.cluster.put(an_event(self.pod, "Pulled"))
        self.files, self.seconds = FilesInMemory(), Seconds()

    def keep(self, alert=None, **values):
        keeper = EvidenceKeeper(
            self.cluster,
            self.files,
            FixedClock(),
            Redaction(),
            settings_of(**values),
            self.seconds,
        )
        return keeper.keep(self.pod, alert or an_alert())

    with it("is logs of all containers, also of the runs before, manifest, Events and alert"):
        kept = self.keep()

        expect(kept.url).to(equal(f"s3://evidence/{PLACE}"))
        expect(kept.missing).to(equal(()))
        expect(self.files.names).to(
            equal(
                [
                    "alert.json",
                    "pod.json",
                    "events.json",
                    "logs/web.log",
                    "logs/init.log",
                    "logs/side.log",
                    "logs/side.previous.log",
                    "manifest.json",
                ]
            )
        )

    with it("is redacted"):
        self.keep()

        expect(self.files.file("logs/web.log")).to(equal(b"one\nlogin with password=***\n"))

    with it("has checksums of what was stored, and says where each file comes from"):
        self.keep()
        listed = self.files.manifest["files"]

        expect([entry["name"] for entry in listed]).to(equal(self.files.names[:-1]))
        for entry in listed:
            content = self.files.file(entry["name"])
            expect([entry["size"], entry["sha256"]]).to(
                equal([len(content), sha256(content).hexdigest()])
            )
        expect(listed[-1]["source"]).to(equal("the log of side before its last start"))

    with it("is not kept twice: a set that is whole stays as it is"):
        first = self.keep()
        before = dict(self.files.stored)
        self.cluster.logs["web", False] = b"later\n"

        expect(self.keep()).to(equal(first))
        expect(self.files.stored).to(equal(before))

    with it("is kept again, in the same files, where it was not whole"):
        self.files.error, self.files.at = EvidenceUnavailable("down"), "manifest.json"
        expect(self.keep).to(raise_error(EvidenceUnavailable))
        names, self.files.error = self.files.names, None
        self.keep()

        expect(self.files.names).to(equal([*names, "manifest.json"]))

    with description("that cannot be read in part"):
        with it("says which part and why, and is kept"):
            del self.cluster.logs["init", False]
            self.cluster.failures["events_of"] = [NotPermitted("may not list, token=hunter2")]
            kept = self.keep()

            expect(kept.missing).to(
                equal(
                    (
                        "the pod's Events (may not list, token=***)",
                        "the log of init (container init of pod shop/web-0 has no such log)",
                    )
                )
            )
            expect(self.files.manifest["missing"]).to(equal(list(kept.missing)))

        with it("says so of a run before that is known, and of no other"):
            del self.cluster.logs["side", True]

            expect([words.partition(" (")[0] for words in self.keep().missing]).to(
                equal(["the log of side before its last start"])
            )

        with it("is kept where the kubelet is away"):
            self.cluster.failures["log"] = [ClusterUnavailable("no answer") for _ in range(9)]

            expect(len(self.keep().missing)).to(equal(4))
            expect(self.files.names).to(contain("pod.json", "manifest.json"))

    with description("of which there is much"):
        with it("has the end of a long log"):
            self.cluster.logs["web", False] = b"".join(b"line %04d\n" % n for n in range(1000))
            self.keep(EVIDENCE_LOG_BYTES="1024")
            entry = next(f for f in self.files.manifest["files"] if f["name"] == "logs/web.log")

            expect(entry["size"]).to(be_below(1025))
            expect(self.files.file("logs/web.log")[-10:]).to(equal(b"line 0999\n"))
            expect(entry["cut"]).to(contain("bytes that were read are left out"))

        with it("has nothing of a private key that the cut divides"):
            for kind in ("PRIVATE KEY", "PGP PRIVATE KEY BLOCK"):
                self.files.stored.clear()
                key = f"-----BEGIN {kind}-----\n" + "MIIE\n" * 300 + f"-----END {kind}-----\n"
                self.cluster.logs["web", False] = f"{key}after\n".encode()
                self.keep(EVIDENCE_LOG_BYTES="1024")

                expect(self.files.file("logs/web.log")).to(equal(b"***\nafter\n"))

        with it("stays within its bytes where redaction or broken text makes it longer"):
            self.cluster.logs["web", False] = b"\xff\xff\xff\n" * 200
            self.keep(EVIDENCE_LOG_BYTES="1024")
            entry = next(f for f in self.files.manifest["files"] if f["name"] == "logs/web.log")

            expect(entry["size"]).to(be_below(1025))
            expect(entry["cut"]).to(contain("bytes are left out"))

        with it("has the log of the alert's container first, and says what had no space"):
            self.cluster.logs["web", False] = b"x" * 1023 + b"\n"
            kept = self.keep(EVIDENCE_BYTES="1024")

            expect(self.files.names).to(contain("logs/web.log"))
            expect(kept.missing[0]).to(equal("the log of init (EVIDENCE_BYTES are used up)"))

        with it("is read for two thirds of its time, and stored in what is left"):
            log = self.cluster.log

            def slow(*arguments, **named):
                expect(named["seconds"]).to(be_below(3.01))
                self.seconds.now += named["seconds"]
                return log(*arguments, **named)

            self.cluster.log = slow
            kept = self.keep(EVIDENCE_TIME="9s")

            expect(kept.missing[-1]).to(contain("EVIDENCE_TIME is used up"))
            expect(self.files.names).to(contain("logs/web.log", "manifest.json"))
            expect(min(self.files.seconds)).to(be_above(2.9))

    with description("that cannot be stored"):
        with it("is an error, which says nothing that must not leave"):
            self.files.error = EvidenceUnavailable("no bucket for token=hunter2")

            expect(self.keep).to(raise_error(EvidenceUnavailable, "no bucket for token=***"))

        with it("has no manifest"):
            self.files.error, self.files.at = EvidenceUnavailable("down"), "side.log"

            expect(self.keep).to(raise_error(EvidenceUnavailable))
            expect(self.files.file("manifest.json")).to(be_none)

        with it("is the same error where something else goes wrong"):
            self.cluster.failures["events_of"] = [ZeroDivisionError("oh")]

            expect(self.keep).to(raise_error(EvidenceUnavailable, "ZeroDivisionError: oh"))


with description("Files of evidence") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.url = f"file://{self.directory.name}/kept"

    with after.each:
        self.directory.cleanup()

    def files(self, **values):
        return EvidenceFiles(settings_of(**{"EVIDENCE_URL": self.url, **values}))

    with it("are stored in a directory, and read from there"):
        self.files().write("a/b.log", b"abc", seconds=5)

        expect(Path(self.directory.name, "kept/a/b.log").read_bytes()).to(equal(b"abc"))
        expect(self.files().read("a/b.log", seconds=5)).to(equal(b"abc"))
        expect(self.files().read("a/c.log", seconds=5)).to(be_none)

    with it("are not there where they may not be read"):
        with patch("fsspec.implementations.local.LocalFileSystem.cat_file") as cat:
            cat.side_effect = PermissionError("write only")

            expect(self.files().read("a", seconds=5)).to(be_none)

    with it("say what kept them from being stored"):
        Path(self.directory.name, "kept").write_text("a file")

        expect(lambda: self.files().write("a", b"", seconds=5)).to(
            raise_error(EvidenceUnavailable, contain(f"cannot write {self.url}/a: "))
        )

    with it("are given up in time"):
        blocked, began = threading.Event(), time.monotonic()
        with patch.object(evidence_files, "_file_system", lambda *_: blocked.wait(5)):
            expect(lambda: self.files().write("a", b"", seconds=0.01)).to(
                raise_error(EvidenceUnavailable, f"cannot write {self.url}/a: no answer in time")
            )
        expect(time.monotonic() - began).to(be_below(1))
        blocked.set()

    with it("say what has to be installed before the first alert"):
        with patch.dict("sys.modules", {"fsspec": None}):
            expect(self.files).to(
                raise_error(InvalidSetting, contain("fsspec is not installed: install the extra"))
            )

    with it("reach S3 with the key and the endpoint that are given, and nothing else"):
        given = settings_of(
            AWS_ENDPOINT_URL="http://minio:9000",
            AWS_ACCESS_KEY_ID="id",
            AWS_SECRET_ACCESS_KEY="secret",
        )
        scheme, options = evidence_files._options("s3://evidence", given)
        _, bare = evidence_files._options("s3://evidence", settings_of())

        expect([scheme, options["endpoint_url"]]).to(equal(["s3", "http://minio:9000"]))
        expect([options["key"], options["secret"]]).to(equal(["id", "secret"]))
        expect({"key", "secret", "token", "endpoint_url"} & {*bare}).to(be_empty)

    with it("reach Google's storage with the key that is given"):
        given = settings_of(GOOGLE_CREDENTIALS='{"type": "service_account"}')

        expect(evidence_files._options("gs://evidence", given)).to(
            equal(("gs", {"token": {"type": "service_account"}}))
        )
