import io
import json
import zipfile
from pathlib import Path
from unittest.mock import patch

from expects import be_below, be_empty, contain, equal, expect, have_keys
from mamba import after, before, description, it

from playbooks.deployment.command_line import parse
from playbooks.deployment.engines import registry
from playbooks.deployment.engines.aws_lambda import ENGINE, package
from playbooks.deployment.errors import DeploymentError
from specs.deployment.fake_programs import FakePrograms
from specs.deployment.mothers import documents_of

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/falco-delete"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:falco-delete"
QUEUE, OTHER = (f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}" for name in ("falco", "other"))
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:falco"

PLACE = ("-E", "lambda", "--region", "eu-west-1", "--role", ROLE)
DELETE = (*PLACE, "-p", "delete", "-t", "falco.error.*", "-t", "falco.notice.*")
DELETE = (*DELETE, "-e", "EKS_CLUSTER=prod")
SLACK = (*PLACE, "-p", "slack", "-t", "falco.error.*")
REMOVE = ("-x", "-E", "lambda", "-p", "delete", "--region", "eu-west-1")

# Keeps what it is given, a command a line, and the files that are named; and answers what the files
# beside it say.
AWS = """\
#!/bin/sh
echo "$*" >>"$0.words"
for word in "$@"; do
    case "$word" in
        fileb://*) /bin/cp "${word#fileb://}" "$0.zip" ;;
        file://*) /bin/cp "${word#file://}" "$0.environment" ;;
    esac
done
if [ -e "$0.fails.$2" ]; then /bin/cat "$0.fails.$2" >&2; exit 254; fi
if [ -e "$0.says.$2" ]; then /bin/cat "$0.says.$2"; fi
"""

# Knows the function once it was made.
WHERE = f"""
if [ "$2" = create-function ]; then echo "{FUNCTION}" >"$0.says.list-functions"; fi
"""

INSTALLED = {"urllib3/__init__.py": b"", "urllib3-2.2.3.dist-info/METADATA": b"Name: urllib3\n"}


def request_of(*words):
    return registry.checked(parse([*words]), ENGINE)


with description("-E lambda") as self:
    with before.each:
        self.programs = FakePrograms({"aws": AWS})

    with after.each:
        self.programs.close()

    def says(self, command, text):
        self.programs.path(f"aws.says.{command}").write_text(text)

    def fails(self, command, text):
        self.programs.path(f"aws.fails.{command}").write_text(text)

    def run(self, *words):
        with patch.object(package, "installed", lambda *_: INSTALLED):
            return self.programs.run(*words)

    def deployed(self, *words):
        """The commands that aws was given, by what they do."""
        done = self.run(*words)
        expect((done.code, done.err)).to(equal((0, "")))
        return self.given()

    def given(self):
        lines = self.programs.kept("aws.words").splitlines()
        return {" ".join(line.split()[:3]).partition(" --")[0]: line for line in lines}

    def variables(self):
        return json.loads(self.programs.kept("aws.environment"))["Variables"]

    def archive(self):
        return zipfile.ZipFile(self.programs.path("aws.zip"))

    with it("makes a function with a bounded time, age of events and number of instances"):
        given = self.deployed(*DELETE)

        expect(given["lambda create-function"]).to(
            contain("--function-name falco-delete", f"--role {ROLE}", "--timeout 60")
        )
        expect(given["lambda create-function"]).to(
            contain("--runtime python3.12", "--handler main.handler", "--architectures x86_64")
        )
        expect(given["lambda put-function-event-invoke-config"]).to(
            contain("--maximum-retry-attempts 2", "--maximum-event-age-in-seconds 3600")
        )
        expect(given["lambda put-function-concurrency"]).to(
            contain("--reserved-concurrent-executions 5")
        )
        for line in given.values():
            expect(line).to(contain("--region eu-west-1"))
        expect([*given]).not_to(contain("lambda create-event-source-mapping", "sns subscribe"))

    with it("uploads the package with an entrypoint and what it installs, without kubernetes"):
        self.deployed(*DELETE)
        names = self.archive().namelist()
        main = self.archive().read("main.py").decode()

        expect(main).to(
            contain("handler = aws_lambda.handler(on_cluster(playbook, environ), environ)")
        )
        expect(names).to(contain("playbooks/delete.py", "urllib3/__init__.py"))
        wrong = [n for n in names if n.startswith(("kubernetes", "yaml", "botocore", "google"))]
        wrong += [n for n in names if "worker" in n or "deployment" in n or "google" in n]
        expect(wrong).to(be_empty)
        modes = {entry.external_attr >> 16 for entry in self.archive().infolist()}
        expect(modes).to(equal({0o100644}))

    with it("gives topics as the function's own filter, and says where its ledger is"):
        self.deployed(*DELETE, "-n", "responders")

        expect(self.variables()).to(
            equal(
                {
                    "EKS_CLUSTER": "prod",
                    "LEDGER": "falco-delete-ledger",
                    "POD_NAMESPACE": "responders",
                    "TOPICS": "falco.error.*,falco.notice.*",
                }
            )
        )

    with it("has the function read its secrets: none is in the package or the variables"):
        self.deployed(*SLACK, "-s", "SLACK_WEBHOOK_URL=slack/webhook")

        expect(self.archive().read("main.py").decode()).to(
            contain("environ = with_secrets({'SLACK_WEBHOOK_URL': ('slack', 'webhook')})")
        )
        expect(self.variables()).to(equal({"TOPICS": "falco.error.*"}))

    with it("takes no secret that it would have to write down"):
        done = self.run(*SLACK, "-e", "SLACK_WEBHOOK_URL=https://hooks.slack.example/hunter2", "-d")

        expect(done.code).to(equal(2))
        expect(done.err).to(contain("SLACK_WEBHOOK_URL is a secret: keep it in Secrets Manager"))
        expect(done.out + done.err).not_to(contain("hunter2"))

    with it("has a queue's messages come again where they failed, and no others"):
        given = self.deployed(*DELETE, "--queue", QUEUE)

        expect(given["lambda create-event-source-mapping"]).to(
            contain(f"--event-source-arn {QUEUE}", "ReportBatchItemFailures", "--batch-size 10")
        )

    with it("updates the mapping that is there, and removes that of another queue"):
        stream = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/falco"
        rows = ((OTHER, "u-1"), (QUEUE, "u-2"), (stream, "u-3"))
        self.says(
            "list-event-source-mappings", "".join(f"{name}\t{source}\n" for source, name in rows)
        )
        given = self.deployed(*DELETE, "--queue", QUEUE)

        expect(given["lambda update-event-source-mapping"]).to(
            contain("--uuid u-2", "ReportBatchItemFailures")
        )
        expect(given["lambda delete-event-source-mapping"]).to(contain("--uuid u-1"))
        expect([*given]).not_to(contain("lambda create-event-source-mapping"))

    with it("updates a function that is there, its settings before its code"):
        self.says("list-functions", f"{FUNCTION}\n")
        given = [*self.deployed(*DELETE)]

        expect(given).not_to(contain("lambda create-function"))
        configured, coded = (
            given.index(f"lambda update-function-{part}") for part in ("configuration", "code")
        )
        expect(configured).to(be_below(coded))

    with it("asks before deploying again loses settings or topics"):
        self.says("list-functions", f"{FUNCTION}\n")
        self.says("get-function", json.dumps({"DRY_RUN": "true", "TOPICS": "falco.alert.*"}))
        refused = self.run(*DELETE)

        expect(refused.code).to(equal(1))
        expect(refused.err).to(
            contain("DRY_RUN: was true, now false (default)", "topics: was falco.alert.*, now")
        )
        expect([*self.given()]).to(equal(["lambda list-functions", "lambda get-function"]))
        expect(self.run(*DELETE, "-y").code).to(equal(0))

    with it("subscribes it to a topic of SNS, which alone may invoke it then, also once more"):
        self.says("list-functions", f"{FUNCTION}\n")
        self.fails("add-permission", "ResourceConflictException: it exists already")
        given = self.deployed(*DELETE, "--trigger-topic", TOPIC)

        expect(given["lambda add-permission"]).to(
            contain("--principal sns.amazonaws.com", f"--source-arn {TOPIC}")
        )
        expect(given["sns subscribe"]).to(contain(f"--notification-endpoint {FUNCTION}"))

    with it("names where an alert goes that Lambda gives up, and the network of the function"):
        network = "SubnetIds=subnet-1,subnet-2,SecurityGroupIds=sg-1"
        given = self.deployed(*DELETE, "--on-failure", OTHER, "--vpc-config", network)

        expect(given["lambda put-function-event-invoke-config"]).to(
            contain(f"OnFailure={{Destination={OTHER}}}")
        )
        expect(given["lambda create-function"]).to(contain(f"--vpc-config {network}"))

    with it("goes on with a warning where the account has no instances to reserve"):
        self.fails("put-function-concurrency", "InvalidParameterValueException: minimum value")
        done = self.run(*DELETE)

        expect(done.code).to(equal(0))
        expect(done.err).to(contain("no instances are reserved for it", "minimum value"))

    with it("prints all that aws would be given, without aws or a cluster"):
        self.programs.remove("aws")
        done = self.run(*DELETE, "--queue", QUEUE, "-s", "A_TOKEN=other/key", "-d")

        expect(done.code).to(equal(0))
        for text in (
            *("# main.py", "# requirements.txt", "# environment.json", "python3 -m pip install"),
            *("aws lambda create-function", "aws lambda update-function-code"),
            *("aws lambda create-event-source-mapping", "aws eks create-access-entry"),
        ):
            expect(done.out).to(contain(text))
        objects = [*documents_of(done.out.partition("kubectl apply -f -\n")[2])]
        subjects = [each["subjects"] for each in objects if "subjects" in each]
        group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "falco-delete"}
        expect(subjects).to(equal([[group]] * 3))

    with it("prints what the role needs on AWS, and no more"):
        printed = self.run(*DELETE, "--queue", QUEUE, "-s", "A_TOKEN=other/key", "-d").out
        text = printed.partition("# what its role may do\n")[2].partition("# in EKS")[0]
        allowed = {
            action: each["Resource"]
            for each in json.loads(text)["Statement"]
            for action in each["Action"]
        }
        place = f"eu-west-1:{ACCOUNT}"
        log = f"arn:aws:logs:{place}:log-group:/aws/lambda/falco-delete:*"

        expect(allowed).to(
            equal(
                {
                    "logs:CreateLogGroup": [log],
                    "logs:CreateLogStream": [log],
                    "logs:PutLogEvents": [log],
                    "eks:DescribeCluster": [f"arn:aws:eks:{place}:cluster/prod"],
                    "secretsmanager:GetSecretValue": [
                        f"arn:aws:secretsmanager:{place}:secret:other-??????"
                    ],
                    "sqs:ReceiveMessage": [QUEUE],
                    "sqs:DeleteMessage": [QUEUE],
                    "sqs:GetQueueAttributes": [QUEUE],
                }
            )
        )

    with it("says where aws comes from where it is not installed, before it packages anything"):
        self.programs.remove("aws")
        done = self.run(*DELETE)

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("aws is not on the PATH (https://aws.amazon.com/cli)"))

    with it("fails with what aws says"):
        self.fails("create-function", "The role defined for the function cannot be assumed")
        done = self.run(*DELETE)

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("exit code 254: The role defined for the function"))

    with it("leaves nothing of a new function that alerts cannot reach"):
        self.fails("create-event-source-mapping", "Queue visibility timeout: 30 seconds is less")
        self.programs.path("aws").write_text(AWS + WHERE)
        done = self.run(*DELETE, "--queue", QUEUE)

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("Queue visibility timeout", "nothing was deployed"))
        expect([*self.given()]).to(contain("lambda delete-function"))

    with it("says what is done where a function that was there cannot be reached by its queue"):
        self.says("list-functions", f"{FUNCTION}\n")
        self.fails("create-event-source-mapping", "Queue visibility timeout: 30 seconds is less")
        done = self.run(*DELETE, "--queue", QUEUE)

        expect(done.err).to(contain("the function is changed; deploying again does the rest"))
        expect([*self.given()]).not_to(contain("lambda delete-function"))

    with it("removes the function, with what brings alerts to it"):
        self.says("list-functions", f"{FUNCTION}\n")
        self.says("list-event-source-mappings", f"u-1\t{QUEUE}\nu-2\t{OTHER}\n")
        self.says("list-subscriptions", f"s-1\t{TOPIC}\n")
        done = self.run(*REMOVE)
        lines = self.programs.kept("aws.words").splitlines()

        expect((done.code, done.err)).to(equal((0, "")))
        place = " --region eu-west-1"
        expect([line.replace(place, "") for line in lines if "list-" not in line]).to(
            equal(
                [
                    "lambda delete-event-source-mapping --uuid u-1",
                    "lambda delete-event-source-mapping --uuid u-2",
                    "sns unsubscribe --subscription-arn s-1",
                    "lambda delete-function --function-name falco-delete",
                ]
            )
        )
        expect(done.out).to(contain("kubectl delete clusterrolebindings", "/aws/lambda/falco"))

    with it("is told where the function is by the command remove, and releases nothing"):
        done = self.run("remove", *REMOVE[1:], "--release")
        without = self.run("remove", "-E", "lambda", "-p", "delete")

        expect(done.err).to(contain("--release and --leave-contained are not for -E lambda"))
        expect(done.err).not_to(contain("--region"))
        expect(without.err).to(contain("--region is not given"))

    with it("removes a mapping also where the function is gone already"):
        self.says("list-event-source-mappings", f"u-1\t{QUEUE}\n")
        done = self.run(*REMOVE)

        expect(self.given()).to(have_keys("lambda delete-event-source-mapping"))
        expect(done.out).to(contain("no function falco-delete was in eu-west-1"))

    with it("refuses what it would ignore, or what would do harm"):
        wrong = (
            *("-E", "lambda", "-p", "delete", "-t", "falco.>", "--context", "x"),
            *("-e", "AWS_REGION=eu-west-1", "-e", "A.B=1", "-e", "TOPICS=falco.>"),
            *("--region", "Europe", "--role", "arn:aws:iam::123456789012:role/path/falco"),
            *("--queue", "falco", "--trigger-topic", QUEUE, "--on-failure", "nowhere"),
            *("--vpc-config", "subnet-1", "-s", "EKS_CLUSTER=eks/name"),
            *("-e", "EKS_ENDPOINT=https://10.0.0.1"),
        )
        done = self.run(*wrong)

        expect(done.code).to(equal(2))
        for text in (
            "--context is not for -E lambda",
            "AWS_REGION is a variable that Lambda sets itself",
            "A.B cannot be a variable of a function",
            "TOPICS comes from -t",
            "--region is 'Europe', expected one such as eu-west-1",
            "--role is 'arn:aws:iam::123456789012:role/path/falco', expected the ARN of a role",
            "--queue is 'falco', expected the ARN of a queue of SQS",
            f"--trigger-topic is '{QUEUE}', expected the ARN of a topic of SNS",
            "--on-failure is 'nowhere', expected the ARN of a destination",
            "--vpc-config is 'subnet-1', expected SubnetIds=...,SecurityGroupIds=...",
            "EKS_CLUSTER decides which cluster it acts on: it can come by -e only, expected: The",
            "EKS_ENDPOINT and EKS_CA are expected both, or none of them",
        ):
            expect(done.err).to(contain(text))

    with it("refuses what Lambda would, before anything is made"):
        elsewhere = QUEUE.replace("eu-west-1", "us-east-1")
        done = self.run(
            *(*DELETE, "--queue", elsewhere, "--trigger-topic", f"{TOPIC}.fifo"),
            *("-e", f"EXEMPT_RULES={'x' * 4000}"),
        )

        expect(done.err).to(contain(f"--queue is '{elsewhere}', expected one in eu-west-1"))
        expect(done.err).to(contain("Lambda takes no topic of SNS that keeps the order"))
        expect(done.err).to(contain("and the variables of a function of Lambda at most 4096"))

    with it("wants to know the cluster, where the playbook acts on one"):
        done = self.run(*PLACE, "-p", "delete", "-t", "falco.>")

        expect(done.err).to(contain("EKS_CLUSTER is not set, expected: The cluster of EKS"))


with description("The zip file of a function of AWS Lambda") as self:
    with it("has the same bytes each time, and in whatever order its files were found"):
        request = request_of(*DELETE)
        taken = []
        for installed in (INSTALLED, dict(reversed(INSTALLED.items()))):
            with patch.object(package, "installed", lambda *_, given=installed: given):
                taken.append(package.zip_file(request))

        expect(taken[0]).to(equal(taken[1]))
        dates = {e.date_time for e in zipfile.ZipFile(io.BytesIO(taken[0])).infolist()}
        expect(dates).to(equal({(1980, 1, 1, 0, 0, 0)}))

    with it("is not made where Lambda would not take it"):
        request, huge = request_of(*DELETE), {"big.so": b""}
        for limit, most in (("LARGEST_UNPACKED", 1000), ("LARGEST_KIB", 1)):
            with patch.object(package, "installed", lambda *_: huge), patch.object(
                package, limit, most
            ):
                try:
                    package.zip_file(request)
                    said = ""
                except DeploymentError as error:
                    said = str(error)

            expect(said).to(contain("Lambda can hold"))

    with it("leaves out what tells of the machine that made it, and its programs"):
        found = {
            name: package._left_out(Path(name))
            for name in (
                *("urllib3/__init__.py", "urllib3-2.2.3.dist-info/METADATA"),
                *("urllib3-2.2.3.dist-info/RECORD", "urllib3-2.2.3.dist-info/INSTALLER"),
                *("bin/normalizer", "urllib3/__pycache__/x.cpython-312.pyc", "x/RECORD"),
            )
        }

        expect([name for name, left_out in found.items() if not left_out]).to(
            equal(["urllib3/__init__.py", "urllib3-2.2.3.dist-info/METADATA", "x/RECORD"])
        )
