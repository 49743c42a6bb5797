import json

from expects import be_empty, be_false, be_true, contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.evidence import documents, settings
from playbooks.core.evidence.documents import Kept, Manifest, directory, missing_of
from playbooks.core.evidence.steps import MOST_LINES, Log
from playbooks.core.redaction.redaction import Redaction
from playbooks.testing import NOW, UID, a_pod, an_alert
from specs.support.sources import imported

IMPORTED = imported()

redaction = Redaction()
SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"


def read(document):
    return json.loads(document)


with description("The place of evidence") as self:
    with it("is a bucket, or a directory"):
        for url in ("s3://evidence", "s3://evidence/a/b", "gs://evidence/a", "file:///var/kept"):
            expect(settings.URL.check(url)).to(equal(url))

    with it("is none at first"):
        expect(settings.URL.check(settings.URL.default)).to(be_empty)

    with it("has no slash at its end"):
        expect(settings.URL.check("s3://evidence/a/")).to(equal("s3://evidence/a"))

    with it("is nothing else"):
        for url in (
            *("https://minio/evidence", "evidence", "s3:///a", "s3://", "file://", "file:///"),
            *("file://host/a", "s3://key:secret@evidence", "s3://evidence:9000", "s3://a/../b"),
            *("s3://evidence?x=1", "s3://evidence/a b", "s3://evidence/\na"),
        ):
            expect(lambda url=url: settings.URL.check(url)).to(
                raise_error(InvalidSetting, contain("expected s3://BUCKET/PREFIX"))
            )

    with it("says what has to be installed"):
        expect(settings.packages({})).to(be_empty)
        for scheme, package in (("s3", "s3fs"), ("gs", "gcsfs"), ("file", "fsspec")):
            url = f"{scheme}:///x"
            expect(settings.packages({"EVIDENCE_URL": url})).to(equal((package,)))

    with it("is there where evidence is required"):
        expect(settings.problems({"EVIDENCE_REQUIRED": "true"})).to(
            equal(["EVIDENCE_URL is not set, expected the place that EVIDENCE_REQUIRED=true needs"])
        )
        both = {"EVIDENCE_REQUIRED": "true", "EVIDENCE_URL": "s3://evidence"}
        expect(settings.problems(both)).to(be_empty)

    with it("takes both halves of a key, or none"):
        whole = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY_FILE": "/b"}
        expect(settings.problems(whole)).to(be_empty)
        expect(settings.problems({"AWS_ACCESS_KEY_ID": "a"})).to(
            equal(
                [
                    "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only AWS_ACCESS_KEY_ID is set,"
                    " expected both"
                ]
            )
        )

    with it("takes a JSON object for Google's key, and shows nothing of another"):
        settings.GOOGLE.check('{"type": "service_account"}')
        for text in ("hunter2", "[]", '"hunter2"'):
            expect(lambda text=text: settings.GOOGLE.check(text)).to(
                raise_error(
                    InvalidSetting, "GOOGLE_CREDENTIALS is (not shown), expected a JSON key"
                )
            )

    with it("costs no import before it is used"):
        expect({"fsspec", "s3fs"} & IMPORTED.result()).to(equal(set()))


with description("A set of evidence") as self:
    with it("lies by namespace, pod, time of the alert and uid"):
        place = directory(a_pod(), an_alert(), "cluster")

        expect(place).to(equal(f"shop/web-0/20260102T030000.000000000Z-{UID}"))

    with it("lies beneath the cluster that the alert names"):
        alert = an_alert({"cluster": "prod-1"})

        expect(directory(a_pod(), alert, "cluster")).to(contain("prod-1/shop/web-0/"))

    with it("lies nowhere else, whatever the alert says"):
        for name in ("../../up", "..", ".", "a/b", "\n", "/", "é"):
            parts = directory(a_pod(), an_alert({"cluster": name}), "cluster").split("/")

            expect((len(parts), bool({"", ".", ".."} & {*parts}))).to(equal((4, False)))

    with it("says what of it is missing"):
        kept = Kept("s3://e/set", ("the log of web (gone)",))

        expect(kept.words).to(equal("evidence is in s3://e/set, without the log of web (gone)"))
        expect(kept.facts["evidence_missing"]).to(equal(["the log of web (gone)"]))
        expect(Kept("s3://e/set").facts).to(equal({"evidence_url": "s3://e/set"}))

    with it("has a manifest of sizes and checksums"):
        manifest = Manifest()
        manifest.stored("a.log", "the log of a", b"abc", cut="the first 7 bytes are left out")
        manifest.unread("the log of b", "gone")
        document = manifest.document(a_pod(), an_alert(), NOW)

        expect(document["files"]).to(
            equal(
                [
                    {
                        "name": "a.log",
                        "source": "the log of a",
                        "size": 3,
                        "sha256": SHA256_OF_ABC,
                        "cut": "the first 7 bytes are left out",
                    }
                ]
            )
        )
        expect(document["unread"]).to(equal([{"source": "the log of b", "why": "gone"}]))
        expect(missing_of(documents.text(document))).to(equal(("the log of b (gone)",)))

    with it("is not there where its manifest was not written whole"):
        for written in (b"", b'{"version": 1', b"{}", b"[]"):
            expect(missing_of(written)).to(equal(None))


with description("What is kept") as self:
    with it("has no value of a variable, but its reference to a Secret"):
        env = [
            {"name": "HARMLESS", "value": "hunter2"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "key"}}},
        ]
        pod = a_pod(spec={"containers": [{"name": "web", "env": env}]})
        found = read(documents.of_pod(pod, redaction))["spec"]["containers"][0]["env"]

        expect(found).to(equal([{"name": "HARMLESS", "value": "***"}, env[1]]))

    with it("has no value of a probe's header, nor of the manifest as it was applied"):
        headers = [{"name": "X-Way-In", "value": "hunter2"}]
        probe = {"httpGet": {"httpHeaders": headers}}
        applied = {"kubectl.kubernetes.io/last-applied-configuration": '{"value": "hunter2"}'}
        pod = a_pod(
            metadata={"annotations": applied},
            spec={"containers": [{"name": "web", "livenessProbe": probe}]},
        )

        expect(documents.of_pod(pod, redaction)).not_to(contain(b"hunter2"))

    with it("has no password of a command line"):
        pod = a_pod(spec={"containers": [{"name": "web", "args": ["--password=hunter2"]}]})

        expect(documents.of_pod(pod, redaction)).not_to(contain(b"hunter2"))

    with it("has the alert as Falco wrote it, redacted"):
        fields = {"proc.cmdline": "mysql -phunter2", "user.token": "hunter2", "evt.num": 7}
        found = read(documents.of_alert(an_alert(fields), redaction))

        expect(found["rule"]).to(equal("Terminal shell in container"))
        expect(found["output_fields"]).to(
            equal({"proc.cmdline": "mysql -p***", "user.token": "***", "evt.num": 7})
        )

    with it("has the Events, redacted"):
        found = documents.of_events([{"message": "token=hunter2 is wrong"}], redaction)

        expect(read(found)).to(equal([{"message": "token=*** is wrong"}]))

    with it("has a log's bytes, also where they are no text"):
        expect(documents.of_log(b"a\xff\n", redaction, cut=False)).to(equal("a\ufffd\n".encode()))

    with it("has no end of a private key whose beginning was cut off"):
        rest = KEY[32:] + "and on\n"
        expect(documents.of_log(rest.encode(), redaction, cut=True)).to(equal(b"***\nand on\n"))

    with it("has what lies before a private key that is whole"):
        found = documents.of_log(f"before\n{KEY}after\n".encode(), redaction, cut=True)

        expect(found).to(equal(b"before\n***\nafter\n"))


with description("The end of a log") as self:
    with it("is all of a short one"):
        expect(Log.end_of([b"a\n", b"b\n"], most=4)).to(equal(Log(b"a\nb\n")))

    with it("begins with a whole line, and says what is left out"):
        log = Log.end_of([b"password=", b"hunter2\n", b"second\n"], most=10)

        expect(log.content).to(equal(b"second\n"))
        expect(log.cut).to(equal("the first 17 bytes that were read are left out"))
        expect(log.beginning).to(be_false)

    with it("is nothing of a line that is too long"):
        expect(Log.end_of([b"x" * 100], most=10).content).to(be_empty)

    with it("holds little more than it may, however much comes"):
        held = []

        def parts():
            for _ in range(1000):
                yield b"x" * 999 + b"\n"
                held.append(1)

        log = Log.end_of(parts(), most=5000)
        expect((len(log.content), len(held))).to(equal((4000, 1000)))

    with it("says so where only the last lines were asked for"):
        log = Log.end_of([b"\n" * MOST_LINES], most=MOST_LINES)

        expect(log.cut).to(equal("only the last 50000 lines were read"))
        expect(log.beginning).to(be_false)

    with it("is what came in time, and says what is missing"):
        answers = iter([True, False])
        log = Log.end_of([b"a\n", b"b\n", b"c\n"], most=9, in_time=lambda: next(answers))

        expect(log.content).to(equal(b"a\nb\n"))
        expect(log.cut).to(equal("reading took too long, the newest lines are missing"))
        expect(log.beginning).to(be_true)
