import json
import os
import subprocess
import tempfile
from pathlib import Path

from expects import be_empty, contain, equal, expect
from mamba import after, before, description, it

from specs.deployment.fake_programs import FakePrograms
from specs.deployment.mothers import documents_of, run
from specs.support.conditions import not_run_unless, program
from specs.support.processes import ahead

ACCOUNT = "falco@p.iam.gserviceaccount.com"
PLACE = ("-E", "gcf", "--region", "europe-west1", "--account", ACCOUNT)
KUBECONFIG = ("-e", "KUBECONFIG_SECRET=projects/p/secrets/kubeconfig/versions/latest")
DELETE = (*PLACE, "-p", "delete", "-t", "falco.error.*", "-t", "falco.notice.*", *KUBECONFIG)
SLACK = (*PLACE, "-p", "slack", "-t", "falco.error.*")

# Keeps what it is given: its words, and the directory that it would upload.
GCLOUD = """\
#!/bin/sh
case "$*" in
    "functions list"*)
        echo "$*" >"$0.listed"
        if [ -e "$0.silent" ]; then exit 1; fi
        if [ -e "$0.list" ]; then /bin/cat "$0.list"; fi
        exit 0 ;;
esac
if [ -e "$0.fails" ]; then exit 3; fi
for word in "$@"; do echo "$word" >>"$0.words"; done
while [ $# -gt 0 ]; do
    case "$1" in
        --source) /bin/cp -r "$2" "$0.source" ;;
        --env-vars-file) /bin/cp "$2" "$0.env" ;;
    esac
    shift
done
"""


def value(words, option):
    return words[words.index(option) + 1]


with description("-E gcf") as self:
    with before.each:
        self.programs = FakePrograms({"gcloud": GCLOUD})

    with after.each:
        self.programs.close()

    def run(self, *words):
        return self.programs.run(*words)

    def deployed(self, *words):
        """The words that gcloud was given."""
        done = self.run(*words)
        expect((done.code, done.err)).to(equal((0, "")))
        return self.programs.kept("gcloud.words").splitlines()

    def variables(self):
        return json.loads(self.programs.kept("gcloud.env"))

    with it("deploys a closed function with a bounded time, concurrency and number of instances"):
        words = self.deployed(*DELETE)

        expect(words[:3]).to(equal(["functions", "deploy", "falco-delete"]))
        expect(words).to(contain("--gen2", "--trigger-http", "--no-allow-unauthenticated"))
        expect(words).not_to(contain("--allow-unauthenticated"))
        given = {
            option: value(words, option)
            for option in ("--timeout", "--concurrency", "--max-instances", "--entry-point")
        }
        expect(given).to(
            equal(
                {
                    "--timeout": "60s",
                    "--concurrency": "1",
                    "--max-instances": "5",
                    "--entry-point": "alert",
                }
            )
        )
        expect(value(words, "--run-service-account")).to(equal(ACCOUNT))

    with it("uploads the package with an entrypoint and pinned packages, without kubernetes"):
        self.deployed(*DELETE)
        source = self.programs.path("gcloud.source")
        main = (source / "main.py").read_text()
        packages = (source / "requirements.txt").read_text()

        expect(main).to(
            contain("alert = functions_framework.http(gcf.alert(on_cluster(playbook)))")
        )
        expect(packages).to(contain("google-auth==", "urllib3=="))
        expect(packages).not_to(contain("kubernetes=="))
        expect((source / "playbooks" / "delete.py").is_file()).to(equal(True))
        expect([*source.rglob("worker*"), *source.rglob("deployment")]).to(be_empty)

    with it("uploads nothing of Google's for a playbook that acts on no cluster"):
        self.deployed(*SLACK, "-s", "SLACK_WEBHOOK_URL=slack/3")
        source = self.programs.path("gcloud.source")

        expect((source / "requirements.txt").read_text()).not_to(contain("google-auth"))
        expect([*source.rglob("google")]).to(be_empty)

    with it("gives topics as the function's own filter, and says where its ledger is"):
        self.deployed(*DELETE, "-n", "responders")

        expect(self.variables()).to(
            equal(
                {
                    "KUBECONFIG_SECRET": "projects/p/secrets/kubeconfig/versions/latest",
                    "LEDGER": "falco-delete-ledger",
                    "POD_NAMESPACE": "responders",
                    "TOPICS": "falco.error.*,falco.notice.*",
                }
            )
        )

    with it("says which rights it needs with these settings, and where it is called and removed"):
        elsewhere = ("-N", "delete-shop", "-n", "responders", "--project", "p", "--gen1")
        said = self.run(*DELETE, *elsewhere, "-e", "NAMESPACES=shop").out.splitlines()

        named = "-p delete -N delete-shop"
        rights = f"{named} -n responders --account {ACCOUNT} {' '.join(KUBECONFIG)}"
        place = "--region europe-west1 --project p"
        expect(said).to(
            contain(
                f"its rights:  falco-playbook permissions -E gcf {rights} -e NAMESPACES=shop"
                " | kubectl apply -f -",
                f"remove it:   deploy_playbook -x -E gcf {named} {place} --gen1 -n responders",
                f"its log:     gcloud functions logs read falco-delete-shop {place}",
            )
        )
        expect(said).to(contain(contain(f"add-iam-policy-binding falco-delete-shop {place}")))

    with it("mounts secrets of Secret Manager as files, and forgets those of before"):
        words = self.deployed(*SLACK, "-s", "SLACK_WEBHOOK_URL=slack/3")
        path = "/falco-secrets/SLACK_WEBHOOK_URL/value"

        expect(value(words, "--set-secrets")).to(equal(f"{path}=slack:3"))
        expect(self.variables()["SLACK_WEBHOOK_URL_FILE"]).to(equal(path))
        expect(self.deployed(*DELETE)).to(contain("--clear-secrets"))

    with it("takes no secret that it would have to write down"):
        done = self.run(*SLACK, "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/hunter2", "-d")

        expect(done.code).to(equal(2))
        expect(done.err).to(contain("SLACK_WEBHOOK_URL is a secret: keep it in Secret Manager"))
        expect(done.out + done.err).not_to(contain("hunter2"))

    with it("has messages of Pub/Sub come again where they failed"):
        words = self.deployed(*DELETE, "--trigger-topic", "falco")

        expect(value(words, "--trigger-topic")).to(equal("falco"))
        expect(words).to(contain("--retry"))
        expect(value(words, "--trigger-service-account")).to(equal(ACCOUNT))
        expect(value(words, "--entry-point")).to(equal("event"))

    with it("deploys one of the first generation for CallFunction"):
        words = self.deployed(*DELETE, "--gen1")

        expect(words).to(contain("--no-gen2", "--no-allow-unauthenticated", "secure-always"))
        expect(words).not_to(contain("--concurrency"))
        expect(value(words, "--service-account")).to(equal(ACCOUNT))

    with it("prints all that gcloud would be given, without gcloud or a cluster"):
        self.programs.remove("gcloud")
        done = self.run(*DELETE, "-d")

        expect((done.code, done.err)).to(equal((0, "")))
        for text in ("# main.py", "# requirements.txt", "gcloud functions deploy falco-delete"):
            expect(done.out).to(contain(text))
        objects = [*documents_of(done.out.partition("kubectl apply -f -\n")[2])]
        subjects = [each["subjects"] for each in objects if "subjects" in each]
        user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ACCOUNT}
        expect(subjects).to(equal([[user]] * 3))

    with it("says where gcloud comes from where it is not installed"):
        self.programs.remove("gcloud")
        done = self.run(*DELETE)

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("gcloud is not on the PATH (https://cloud.google.com/sdk"))

    with it("has nothing that diff could compare, and says what shows it"):
        done = self.run("diff", *DELETE)

        expect(done.code).to(equal(2))
        expect(done.err).to(contain("gcloud functions describe falco-delete", "-d what would be"))

    with it("fails where gcloud fails"):
        self.programs.path("gcloud.fails").touch()

        expect(self.run(*DELETE).err).to(contain("gcloud failed with exit code 3"))

    with it("asks before deploying again loses settings or topics"):
        variables = {"NAMESPACES": "shop", "DRY_RUN": "true", "LEDGER": "falco-delete-ledger"}
        variables.update(TOPICS="falco.error.*,falco.alert.*", LOG_EXECUTION_ID="true")
        listed = [{"name": "x", "serviceConfig": {"environmentVariables": variables}}]
        self.programs.path("gcloud.list").write_text(json.dumps(listed))
        refused = self.run(*DELETE, "-e", "DRY_RUN=false")

        expect(refused.code).to(equal(1))
        expect(refused.err).to(
            contain(
                "NAMESPACES: was shop, now not set",
                "topics: was falco.alert.*, falco.error.*, now falco.error.*, falco.notice.*",
                "nothing was changed; --yes agrees to these changes",
            )
        )
        expect(refused.err).not_to(contain("LEDGER", "LOG_EXECUTION_ID", "DRY_RUN"))
        expect(self.programs.path("gcloud.words").exists()).to(equal(False))
        expect(self.programs.kept("gcloud.listed")).to(
            contain("--regions europe-west1", "name~/functions/falco-delete$")
        )
        expect(self.run(*DELETE, "-y").code).to(equal(0))

    with it("deploys where it cannot be read what is deployed, and says so"):
        self.programs.path("gcloud.silent").touch()
        done = self.run(*DELETE)

        expect(done.code).to(equal(0))
        expect(done.err).to(contain("which settings are deployed cannot be read"))

    with it("removes the function"):
        words = self.deployed("-x", "-E", "gcf", "-p", "delete", "--region", "europe-west1")

        expect(words).to(
            equal(
                [
                    *("functions", "delete", "falco-delete", "--gen2"),
                    *("--region", "europe-west1", "--quiet"),
                ]
            )
        )

    with it("is told where the function is by the command remove as well as by -x"):
        words = self.deployed("remove", "-E", "gcf", "-p", "delete", "--region", "europe-west1")

        expect(words[:2]).to(equal(["functions", "delete"]))
        ignored = ("--release", "--context", "staging")
        refused = self.run("remove", "-E", "gcf", "-p", "delete", *ignored)
        expect(refused.err).to(contain("--region is not given", "--release and", "--context is"))

    with it("refuses what it would ignore, or what would do harm"):
        words = ("-E", "gcf", "-p", "delete", "-t", "falco.>", "--context", "x")
        words = (*words, "--kubeconfig", "/a/config")
        wrong = (
            "-e",
            "DEBUG=1",
            "-e",
            "K_SERVICE=x",
            "-e",
            "TOPICS=falco.>",
            "--region",
            "Europe",
            "--account",
            "falco",
        )
        done = self.run(*words, *wrong, "-s", "KUBECONFIG_SECRET=kubeconfig/latest")

        for text in (
            "--context is not for -E gcf",
            "--kubeconfig is not for -E gcf",
            "DEBUG cannot be a variable: it starts a server for development",
            "K_SERVICE is a variable that Cloud Functions or deploy_playbook sets itself",
            "TOPICS comes from -t",
            "--region is 'Europe'",
            "--account is 'falco', expected the e-mail of a service account",
            "KUBECONFIG_SECRET decides which cluster it acts on: it can come by -e only, expected:"
            " The kubeconfig of the cluster, in Secret Manager: projects/PROJECT/secrets/SECRET/",
        ):
            expect(done.err).to(contain(text))

    with it("wants to know where the kubeconfig is, where the playbook acts on a cluster"):
        done = self.run(*PLACE, "-p", "delete", "-t", "falco.>")

        expect(done.err).to(contain("KUBECONFIG_SECRET is not set"))


INSTALLED = program("gcloud")


def printed(*more):
    """The command of -d."""
    words = (*SLACK, *more, "--project", "p", "-s", "SLACK_WEBHOOK_URL=slack/3", "-d")
    return run(*words).out.partition("package\n")[2].split("\n\n")[0]


def executed(command, path):
    """What the shell says, where nobody is logged in."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "main.py").touch()
        Path(directory, "env.yaml").write_text('{"TOPICS": "a,b"}')
        return subprocess.run(
            ["sh", "-c", command],
            cwd=directory,
            env={"PATH": path, "CLOUDSDK_CONFIG": directory},
            capture_output=True,
            text=True,
        ).stderr


# Each takes seconds.
COMMANDS = [printed(*more) for more in ((), ("--trigger-topic", "falco"), ("--gen1",))]
SAID = [ahead(executed, command, os.environ["PATH"]) for command in COMMANDS if INSTALLED.holds]

with description("gcloud itself") as self:
    with it("takes what -E gcf gives to it, as far as somebody who is not logged in gets"):
        for command, answer in zip(COMMANDS, SAID):
            said = answer.result()

            expect(command).to(contain("gcloud functions deploy falco-slack"))
            expect(said).to(contain("account"))
            for wrong in ("unrecognized arguments", "Invalid", "invalid", "argument --"):
                expect(said).not_to(contain(wrong))


not_run_unless(INSTALLED, globals(), title="gcloud itself")
