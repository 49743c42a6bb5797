import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from expects import contain, equal, expect, have_len, start_with
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.deployment.request import by_name
from specs.deployment.mothers import WEBHOOK, a_request, run

SLACK = ("-E", "kubeless", "-p", "slack", "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}")
DELETE = ("-E", "kubeless", "-p", "delete", "-t", "falco.error.*")


def the_error_of(*arguments):
    answer = run(*arguments)
    expect(answer.code).to(equal(2))
    return answer.err


with description("What was typed") as self:
    with description("about the playbook"):
        with it("is refused without one, with a list of those there are"):
            expect(the_error_of("-t", "falco.>")).to(
                contain("-p with one of ", "delete", "isolate")
            )

        with it("is refused for one that is not there, with a list of those there are"):
            expect(the_error_of("-p", "demisto", "-t", "falco.>")).to(
                contain("there is no playbook 'demisto': one of ", *catalogue.names())
            )

        with it("is refused for one that reads a setting which its reaction does not declare"):
            declared = by_name.load("taint")
            without = replace(declared, reaction=by_name.load("delete").reaction)
            with patch.object(catalogue, "load", return_value=without):
                error = the_error_of("-E", "kubernetes", "-p", "taint", "-t", "falco.>", "-d")

            expect(error).to(
                contain(
                    "playbooks/taint.py reads the setting TAINT_TTL, which DeletePod does not"
                    " declare: add it to its SETTINGS"
                )
            )

        with it("is refused for a path"):
            expect(the_error_of("-p", "core/alert", "-t", "falco.>")).to(contain("no playbook"))

    with description("about telling Slack of outcomes"):
        with it("is refused without a webhook"):
            expect(the_error_of(*DELETE, "-e", "SLACK_OUTCOMES=true")).to(
                contain("SLACK_WEBHOOK_URL is not set")
            )

        with it("is refused where only the cluster knows whether it is wanted"):
            expect(the_error_of(*DELETE, "-s", "SLACK_OUTCOMES=slack/wanted")).to(
                contain("SLACK_OUTCOMES decides what is installed: it can come by -e only")
            )

        with it("is refused without what OUTCOMES_TO needs, or where only the cluster knows it"):
            expect(the_error_of(*DELETE, "-e", "OUTCOMES_TO=webhook")).to(
                contain("WEBHOOK_URL is not set", "WEBHOOK_SECRET is not set")
            )
            expect(the_error_of(*DELETE, "-s", "OUTCOMES_TO=a/b")).to(
                contain("OUTCOMES_TO decides what is installed: it can come by -e only")
            )
            told = ("-s", "WEBHOOK_URL=hook/url", "-s", "WEBHOOK_SECRET=hook/key")
            expect(run("-d", *DELETE, "-e", "OUTCOMES_TO=webhook", *told).code).to(equal(0))

        with it("is refused where what a message needs is blank"):
            blank = ("-e", "SLACK_OUTCOMES=true", "-e", "SLACK_WEBHOOK_URL= ")
            expect(the_error_of(*DELETE, *blank)).to(contain("SLACK_WEBHOOK_URL"))
            blank = ("-e", "OUTCOMES_TO=webhook", "-e", "WEBHOOK_URL= ", "-e", "WEBHOOK_SECRET= ")
            expect(the_error_of(*DELETE, *blank)).to(contain("WEBHOOK_URL", "WEBHOOK_SECRET"))

        with it("takes the webhook from a Secret, too"):
            told = ("-e", "SLACK_OUTCOMES=true", "-s", "SLACK_WEBHOOK_URL=slack/url")

            expect(run("-d", *DELETE, *told).code).to(equal(0))

    with description("about topics"):
        with it("is refused without one"):
            expect(the_error_of("-p", "delete")).to(contain("no topic is given"))

        with it("is refused when it is malformed"):
            expect(the_error_of("-p", "delete", "-t", "falco..x")).to(
                contain("topic 'falco..x' is malformed: it has an empty token")
            )

        with it("is refused when it is given twice"):
            expect(the_error_of(*DELETE, "-t", "falco.error.*")).to(
                contain("topic 'falco.error.*' is given twice")
            )

        with it("is refused when it can never match, and deployed with --force"):
            typed = ("-d", "-p", "delete", "-t", "falco.info.*")
            said = "'falco.info.*' never matches an alert: Falco spells this priority informational"

            expect(the_error_of(*typed)).to(contain(f"error: topic {said} (--force deploys it)"))
            forced = run(*typed, "--force")

            expect(forced.code).to(equal(0))
            expect(forced.err).to(contain(f"warning: topic {said}"))

        with it("is warned of when Falco ships no such rule, with the one that is alike"):
            said = "matches only a rule of your own: Falco ships no rule "
            mistyped = run("-d", "-p", "delete", "-t", "falco.*.terminal_shell_in_containr").err
            own = run("-d", "-p", "delete", "-t", "falco.error.zz_9").err

            expect(mistyped).to(contain(f"{said}terminal_shell_in_containr, did you mean terminal"))
            expect(own).to(contain(f"{said}zz_9\n"))

        with it("is not warned of when Falco ships the rule"):
            for topic in ("falco.*.terminal_shell_in_container", "falco.>", "falco.error.*"):
                expect(run("-d", "-p", "delete", "-t", topic).err).not_to(contain(topic))

        with it("is warned of when a rule of Falco's has another priority"):
            expect(run("-d", "-p", "delete", "-t", "falco.notice.write_below_etc").err).to(
                contain("priority Error: falco.error.write_below_etc")
            )

        with it("is warned of when two topics would answer the same alert"):
            expect(run("-d", *DELETE, "-t", "falco.*.write_below_etc").err).to(
                contain("'falco.error.*' and 'falco.*.write_below_etc' overlap")
            )

    with description("about settings"):
        with it("is warned of a name that is no setting, and may be meant as a variable"):
            meant = ("HTTPS_PROXY=http://proxy:3128", "PIP_INDEX_URL=https://pypi.example/simple/")
            variables = [word for each in ("DRY=true", *meant) for word in ("-e", each)]
            answer = run("-d", *DELETE, *variables)

            expect(answer.err).to(
                contain("DRY is no setting of delete: it is passed on as a variable")
            )
            expect(answer.err).not_to(contain("HTTPS_PROXY"))
            expect(answer.err).not_to(contain("PIP_INDEX_URL"))

        with before.each:
            self.directory = tempfile.TemporaryDirectory()
            self.file = Path(self.directory.name, "value")

        with after.each:
            self.directory.cleanup()

        with it("is refused when a required one is missing, and says how to give it"):
            expect(the_error_of("-p", "slack", "-t", "falco.>")).to(
                contain("SLACK_WEBHOOK_URL is not set", "-s SLACK_WEBHOOK_URL=SECRET/KEY")
            )

        with it("is refused when a value is invalid"):
            expect(the_error_of(*DELETE, "-e", "GRACE_PERIOD_SECONDS=soon")).to(
                contain("GRACE_PERIOD_SECONDS is 'soon', expected a whole number from 0 to 3600")
            )

        with it("does not show the value of a secret"):
            error = the_error_of("-p", "slack", "-t", "falco.>", "-e", "SLACK_WEBHOOK_URL=hunter2")

            expect(error).to(contain("SLACK_WEBHOOK_URL is (not shown)"))
            expect(error).not_to(contain("hunter2"))

        with it("is refused without an equals sign, and not repeated"):
            error = the_error_of(*DELETE, "-e", "hunter2")

            expect(error).to(contain("-e wants NAME=VALUE or NAME=@FILE"))
            expect(error).not_to(contain("hunter2"))

        with it("is refused when the name cannot be a variable's"):
            expect(the_error_of(*DELETE, "-e", "1 A=x")).to(contain("'1 A' cannot be the name"))

        with it("is refused when Kubeless sets the variable"):
            expect(the_error_of(*DELETE, "-e", "MOD_NAME=x")).to(contain("Kubeless sets itself"))

        with it("is refused when deploy_playbook sets the variable"):
            for name in ("NODE_NAME", "POD_NAMESPACE"):
                for engine in ("kubeless", "kubernetes", "local"):
                    expect(the_error_of(*DELETE, "-E", engine, "-e", f"{name}=x")).to(
                        contain(f"{name} is a variable that deploy_playbook sets itself")
                    )

        with it("is refused when one is given twice"):
            expect(the_error_of(*DELETE, "-e", "RULES=a", "-s", "RULES=secret/key")).to(
                contain("RULES is given twice")
            )

        with it("is refused when it looks like a slip of the pen"):
            for name in ("NAMESPACE", "namespaces", "GRACE_PERIOD"):
                expect(the_error_of(*DELETE, "-e", f"{name}=1")).to(contain("did you mean"))

        with it("is refused where evidence has no place, or one of which nothing is known"):
            expect(the_error_of(*DELETE, "-e", "EVIDENCE_URL=ftp://evidence")).to(
                contain("EVIDENCE_URL is 'ftp://evidence', expected s3://BUCKET/PREFIX")
            )
            expect(the_error_of(*DELETE, "-e", "EVIDENCE_REQUIRED=true")).to(
                contain("EVIDENCE_URL is not set")
            )
            expect(the_error_of(*DELETE, "-s", "EVIDENCE_URL=secret/url")).to(
                contain("EVIDENCE_URL decides what is installed and which roles are made")
            )

        with it("takes what clients of S3 know as variables, without a warning"):
            for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE"):
                answer = run("-d", *DELETE, "-e", f"{name}=x")

                expect(answer.out).to(contain(f"name: {name}"))
                expect(answer.err).not_to(contain(name))

        with it("takes any other name as a plain variable"):
            expect(run("-d", *DELETE, "-e", "HTTPS_PROXY=http://proxy:3128").out).to(
                contain("name: HTTPS_PROXY")
            )

        with it("is refused when it names the file of a secret inside the function"):
            expect(
                the_error_of("-p", "slack", "-t", "falco.>", "-e", "SLACK_WEBHOOK_URL_FILE=/x")
            ).to(contain("SLACK_WEBHOOK_URL=@FILE"))

        with it("is read from a file, without the line end at its end"):
            self.file.write_bytes(b"a\nb\n")

            expect(a_request("delete", "-e", f"RULES=@{self.file}").values["RULES"]).to(
                equal("a\nb")
            )

        with it("is refused when the file cannot be read"):
            expect(the_error_of(*DELETE, "-e", "RULES=@/nowhere")).to(
                contain("-e RULES: cannot read '/nowhere': No such file or directory")
            )

        with it("is refused once when the file of a required one cannot be read"):
            slack = the_error_of(
                "-p", "slack", "-t", "falco.>", "-e", "SLACK_WEBHOOK_URL=@/nowhere"
            )
            told = ("-e", "SLACK_OUTCOMES=true", "-e", "SLACK_WEBHOOK_URL=@/nowhere")

            expect(slack.splitlines()).to(have_len(1))
            expect(slack).to(contain("-e SLACK_WEBHOOK_URL: cannot read '/nowhere'"))
            expect(the_error_of(*DELETE, *told).splitlines()).to(have_len(1))

        with it("is refused when the file is not text"):
            self.file.write_bytes(b"\xff")

            expect(the_error_of(*DELETE, "-e", f"RULES=@{self.file}")).to(contain("not UTF-8 text"))

        with it("is refused when a namespace cannot be one"):
            expect(the_error_of(*DELETE, "-e", "NAMESPACES=Shop")).to(
                contain("'Shop' cannot be a namespace")
            )

        with it("is refused when a reference is no SECRET/KEY"):
            expect(the_error_of(*DELETE, "-s", "RULES=key")).to(contain("-s wants NAME=SECRET/KEY"))

        with it("is refused when NAMESPACES comes from a Secret"):
            expect(the_error_of(*DELETE, "-s", "NAMESPACES=a/b")).to(contain("by -e only"))

        with it("is refused when a reference is to the Secret that is made by deploying"):
            expect(the_error_of(*DELETE, "-s", "RULES=falco-delete/RULES")).to(
                contain("deploy_playbook itself makes")
            )

    with description("about names and the runtime"):
        with it("is refused when the name cannot be one"):
            expect(the_error_of(*DELETE, "-N", "Delete_2")).to(contain("cannot be a name"))

        with it("is refused when the triggers' names would be too long"):
            expect(the_error_of(*DELETE, "-N", "x" * 50)).to(contain("has 66 of 63 letters"))

        with it("is refused when the namespace cannot be one"):
            expect(the_error_of(*DELETE, "-n", "a.b")).to(contain("'a.b' cannot be a namespace"))

        with it("is refused for a Python that is too old, and says which is not"):
            expect(the_error_of(*DELETE, "-r", "python3.6")).to(contain("Python 3.8 or later"))

        with it("is refused where what a setting installs does not run on it"):
            when = ("-e", 'WHEN=alert.source == "syscall"')

            expect(the_error_of(*DELETE, *when)).to(
                contain("runtime python3.8: cel-python", "needs Python 3.10 or later")
            )
            expect(the_error_of(*DELETE, *when, "-r", "python3.9")).to(contain("not 3.9"))
            # The last word is that it finds no cluster.
            expect(the_error_of(*DELETE, *when, "-r", "python3.10", "-e", "X Y=1")).not_to(
                contain("cel-python")
            )

        with it("is refused for a condition that cannot be one, once"):
            for text, said in (
                ("alert.ruel == 'x'", "WHEN: there is no ruel of 'alert'"),
                ("alert.rule ==", "WHEN is no CEL: it cannot be read"),
                ("x" * 2001, "expected at most 2000 characters"),
            ):
                error = the_error_of("-E", "kubernetes", *DELETE[2:], "-e", f"WHEN={text}")

                expect(error).to(contain(said))
                expect(error.count("WHEN")).to(equal(1))

        with it("is refused for a condition that lies in a Secret, which nobody can check"):
            expect(the_error_of(*DELETE, "-s", "WHEN=secret/key")).to(
                contain("WHEN decides what is installed: it can come by -e only")
            )

        with it("is refused for a chain without steps, with one that is none, or that nobody sees"):
            chain = ("-E", "kubernetes", "-p", "chain", "-t", "falco.>")
            for typed, said in (
                ((), "STEPS is not set, expected: The playbooks"),
                (("-e", "STEPS=delete,burn"), "STEPS has 'burn', expected names of cordon"),
                (("-e", "STEPS=slack"), "SLACK_WEBHOOK_URL is not set, and the step slack"),
                (("-s", "STEPS=secret/key"), "STEPS decides which roles are made"),
            ):
                error = the_error_of(*chain, *typed)

                expect((said, error.count(said))).to(equal((said, 1)))

        with it("is refused for another language"):
            expect(the_error_of(*DELETE, "-r", "go1.14")).to(contain("none of Kubeless' Pythons"))

    with it("is refused for all its problems at once"):
        error = the_error_of(
            "-p", "slack", "-t", "falco..x", "-N", "X", "-r", "python2.7", "-e", "A"
        )

        expect(error.splitlines()).to(contain(start_with("deploy_playbook: error: topic")))
        expect(len(error.splitlines())).to(equal(5))

    with it("is refused when nobody knows an option"):
        expect(the_error_of(*DELETE, "--forced")).to(contain("No such option", "--forced"))

    with it("is refused when a file of alerts is for no local engine"):
        expect(the_error_of(*DELETE, "alerts.jsonl")).to(
            contain("alerts.jsonl is for -E local only")
        )

    with it("is refused when the local engine would need a Secret of a cluster"):
        expect(
            the_error_of("-E", "local", "-p", "slack", "-t", "a", "-s", "SLACK_WEBHOOK_URL=a/b")
        ).to(contain("-s needs a cluster"))

    with it("is refused when another engine would ignore the runtime of Kubeless"):
        for engine in ("local", "kubernetes"):
            typed = ("-E", engine, "-p", "delete", "-t", "falco.>", "-r", "python3.8")
            expect(the_error_of(*typed)).to(contain("-r is for -E kubeless only"))
