import base64
import json
import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.engines.worker.operator.protocol import ALERTS
from specs.commands.fake_cluster import a_cluster, run
from specs.commands.fake_cluster import answer as said
from specs.simulation.mothers import a_body, bodies
from specs.support.own_playbooks import SHOWN, a_directory

TICKET = ("-e", "QUARANTINE_TICKET=SEC-1")

with description("falco-playbook simulate") as self:
    with before.all:
        self.directory = tempfile.TemporaryDirectory()
        self.file = str(Path(self.directory.name) / "alerts.jsonl")
        Path(self.file).write_bytes(b"\n\n".join(bodies(12)) + b"\n")

    with after.all:
        self.directory.cleanup()

    with it("prints tables of what would have happened"):
        answer = run("simulate", "-p", "delete", "-f", self.file)

        expect(answer.code).to(equal(0))
        expect(answer.out).to(
            contain(
                "12 alerts from 2026-01-02T03:00:00",
                "would have acted 10 times (10 are deletions, done when the pod is gone), held 2",
                "What something stricter would have changed",
            )
        )

    with it("says what it read where that is no alert, and shows no tables then"):
        path = Path(self.file).with_name("none.jsonl")
        path.write_bytes(b'{"no": "alert"}\nnor this\n')
        answer = run("simulate", "-p", "delete", "-f", str(path))

        expect(answer.out).to(
            contain(
                "delete on falco.>: no alerts; 0 more match no topic, 2 lines without an alert;"
            )
        )
        expect(answer.out).not_to(contain("would have acted", "What something stricter"))

    with it("reads an alert in several lines, and an array of them"):
        alert = json.loads(a_body())
        for content in (alert, [alert], [alert, alert]):
            path = Path(self.file).with_name("pretty.json")
            path.write_text(json.dumps(content, indent=2))
            answer = run("simulate", "-p", "delete", "-f", str(path), "-o", "json")

            number = len(content) if isinstance(content, list) else 1
            expect((json.loads(answer.out)["alerts"], answer.code)).to(equal((number, 0)))

    with it("shows an alert's words as words, on a terminal and on a page"):
        path = Path(self.file).with_name("strange.jsonl")
        path.write_bytes(a_body(rule="\u200b\u202e [b]x \\[b]y") + b"\n")
        text = run("simulate", "-p", "delete", "-f", str(path)).out
        html = run("simulate", "-p", "delete", "-f", str(path), "-o", "html").out

        for said in (text, html):
            expect(said).to(contain("\\u200b\\u202e [b]x \\[b]y"))
            expect(said).not_to(contain("\u200b"))
            expect(said).not_to(contain("\u202e"))

    with it("says of what failed what it was, and how often"):
        raising = SHOWN["quarantine.py"].replace(
            "pod = proven.pod\n", "raise KeyError('team')\n", 1
        )
        with a_directory(quarantine=raising) as directory:
            typed = ("simulate", "-p", str(directory / "quarantine.py"), "-f", self.file)
            text, made = (run(*typed, *TICKET, "-o", o).out for o in ("text", "json"))

        expect(text).to(contain("failed 12", "What failed", "KeyError: 'team'"))
        line = raising[: raising.index("raise KeyError")].count("\n") + 1
        expect(json.loads(made)["failures"]).to(
            equal([[f"KeyError: 'team' ({directory / 'quarantine.py'}, line {line})", 12]])
        )

    with it("refuses a playbook that reads a setting which its reaction does not declare"):
        reading = SHOWN["quarantine.py"].replace('settings["QUARANTINE_TICKET"]', 'settings["T"]')
        with a_directory(quarantine=reading) as directory:
            typed = ("simulate", "-p", str(directory / "quarantine.py"), "-f", self.file)

            expect(run(*typed, *TICKET).err).to(
                contain("quarantine.py reads the setting T, which QuarantinePod does not declare")
            )

    with it("prints JSON, and a page"):
        answer = run("simulate", "-p", "isolate", "-f", self.file, "-o", "json")

        expect(json.loads(answer.out)["acted"]).to(equal(10))
        expect(run("simulate", "-p", "delete", "-f", self.file, "-o", "html").out).to(
            contain("<!doctype html>", "What delete would have done")
        )

    with it("says what it does not know of nodes, for a playbook that changes them"):
        taint, delete = (run("simulate", "-p", p, "-f", self.file).err for p in ("taint", "delete"))

        expect(taint).to(contain("assumes others that take their pods", "check -p taint"))
        expect(delete).not_to(contain("nodes"))

    with it("takes settings and topics"):
        strict = run(
            "simulate", "-p", "delete", "-f", self.file, "-e", "MAX_ACTIONS=3", "-o", "json"
        )
        none = run("simulate", "-p", "delete", "-f", self.file, "-t", "falco.error.*", "-o", "json")

        expect(json.loads(strict.out)["acted"]).to(equal(3))
        expect(json.loads(none.out)["elsewhere"]).to(equal(12))

    with it("says everything that is wrong with what was typed"):
        answer = run("simulate", "-p", "slack", "-t", "falco..x", "--replicas", "0")

        expect(answer.code).to(equal(2))
        expect(answer.err).to(
            contain(
                "slack changes nothing in a cluster",
                "topic 'falco..x' is malformed",
                "no alerts are given: expected -f FILE",
                "--replicas is 0",
            )
        )

    with it("wants to know the playbook, also of a function that is named"):
        answer = run("simulate", "-N", "shop", "-f", self.file)

        expect(answer.code).to(equal(2))
        expect(answer.err).to(contain("-N is given without -p: expected the playbook, too"))

    with it("names a setting that cannot be, and a file that cannot be read"):
        wrong = run("simulate", "-p", "delete", "-f", self.file, "-e", "WINDOW=soon")
        missing = run("simulate", "-p", "delete", "-f", "/nowhere.jsonl")

        expect((wrong.code, missing.code)).to(equal((2, 1)))
        expect(wrong.err).to(contain("WINDOW is 'soon', expected a time"))
        expect(missing.err).to(contain("/nowhere.jsonl cannot be read: No such file"))

    with it("takes the alerts of the stream instead, as the worker reads them"):
        lines = [{"body": base64.b64encode(body).decode()} for body in bodies(12)]
        cluster = a_cluster()
        cluster.says = said(*lines)
        since = ("--since", "7d", "-t", "falco.>", "-o", "json")
        answer = run("simulate", "-p", "delete", *since, cluster=cluster)

        expect(json.loads(answer.out)["acted"]).to(equal(10))
        expect(cluster.executed[0][-3:]).to(equal((ALERTS, "--seconds", "604800")))

    with it("takes the settings and topics that are deployed then, and says so"):
        lines = [{"body": base64.b64encode(body).decode()} for body in bodies(12)]
        cluster = a_cluster("-e", "MAX_ACTIONS=3", "-e", "DRY_RUN=true", "-t", "falco.notice.*")
        cluster.says = said(*lines)
        since = ("simulate", "-p", "delete", "--since", "7d")
        found = json.loads(run(*since, "-o", "json", cluster=cluster).out)
        text = run(*since, cluster=cluster).out

        expect((found["acted"], found["held"])).to(equal((3, 9)))
        expect(found["settings"]).to(equal({"MAX_ACTIONS": "3"}))
        expect(found["topics"]).to(contain("falco.notice.*"))
        expect(found["left_out"]).to(contain("DRY_RUN=true"))
        expect(text).to(
            contain(
                "settings: MAX_ACTIONS=3 (deployed as default/falco-delete)",
                "left out: DRY_RUN=true; MAX_PER_OWNER: --replicas says",
            )
        )

    with it("takes what is typed before what is deployed"):
        cluster = a_cluster("-e", "MAX_ACTIONS=3")
        cluster.says = said(*({"body": base64.b64encode(b).decode()} for b in bodies(12)))
        typed = ("-e", "MAX_ACTIONS=5", "-t", "falco.critical.*", "-o", "json")
        since = ("simulate", "-p", "delete", "--since", "7d")
        found = json.loads(run(*since, *typed, cluster=cluster).out)

        expect((found["settings"], found["topics"])).to(
            equal(({"MAX_ACTIONS": "5"}, ["falco.critical.*"]))
        )

    with it("says which settings and topics it took of those that are typed, and what it left out"):
        answer = run("simulate", "-p", "delete", "-f", self.file, "-e", "MAX_ACTIONS=3")
        plain = run("simulate", "-p", "delete", "-f", self.file, "--replicas", "4").out

        expect(answer.out).to(contain("delete on falco.>", "settings: MAX_ACTIONS=3\n"))
        expect(plain).to(contain("settings: the defaults\n", "left out: pauses, exemptions,"))

    with it("says why the stream could not be read"):
        cluster = a_cluster()
        cluster.says = said({"error": "this NATS keeps nothing"}, end=False, code=1)
        answer = run("simulate", "-p", "delete", "--since", "1h", cluster=cluster)

        expect((answer.code, answer.out)).to(equal((1, "")))
        expect(answer.err).to(contain("this NATS keeps nothing"))

    with it("is refused for both, and for a time that is none"):
        both = run("simulate", "-p", "delete", "--since", "1h", "-f", self.file)
        soon = run("simulate", "-p", "delete", "--since", "soon")

        expect(both.err).to(contain("-f is not allowed with --since"))
        expect(soon.err).to(contain("'soon', expected a time from 1s"))

    with it("needs no cluster and no kubectl"):
        answer = run("simulate", "-p", "delete", "-f", self.file)

        expect(answer.code).to(equal(0))
