"""deploy_playbook -E lambda with the real aws and pip, to a cloud on loopback (moto's): what is
there afterwards, and that it goes."""

import io
import json
import os
import zipfile
from unittest.mock import patch

from expects import be_below, be_empty, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.deployment.engines.aws_lambda.package import zip_file
from specs.deployment.mothers import run
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.engines.lambda_function import asked
from specs.support.loopback.aws_cloud import ACCOUNT, MOTO, REGION, AwsCloud

TRUSTED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


with description("A function of AWS Lambda, deployed by aws itself,") as self:
    with before.all:
        self.cloud = AwsCloud()
        self.lambdas, self.topics = self.cloud.client("lambda"), self.cloud.client("sns")
        queues = self.cloud.client("sqs")
        urls = [queues.create_queue(QueueName=name)["QueueUrl"] for name in ("falco", "other")]
        self.queues = [f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rpartition('/')[2]}" for url in urls]
        self.topic = self.topics.create_topic(Name="falco")["TopicArn"]
        iam = self.cloud.client("iam")
        self.role = iam.create_role(
            RoleName="falco-delete", AssumeRolePolicyDocument=json.dumps(TRUSTED)
        )["Role"]["Arn"]

    with after.all:
        self.cloud.stop()

    def run(self, *words):
        with patch.dict(os.environ, self.cloud.environ):
            done = run("-E", "lambda", "--region", REGION, "-p", "delete", *words)
        expect((done.code, done.err)).to(equal((0, "")))
        return done

    def deploy(self, *words):
        place = ("--role", self.role, "-t", "falco.error.*", "-e", "EKS_CLUSTER=prod")
        return self.run(*place, *words)

    def mappings(self):
        return self.lambdas.list_event_source_mappings()["EventSourceMappings"]

    with it("is made, made otherwise, and removed with its mapping and its subscription"):
        first, second = self.queues
        self.deploy("--queue", first, "--trigger-topic", self.topic)
        made = self.lambdas.get_function_configuration(FunctionName="falco-delete")
        kept = self.lambdas.get_function_event_invoke_config(FunctionName="falco-delete")
        (mapping,) = self.mappings()

        expect((made["Timeout"], made["Handler"], made["Runtime"])).to(
            equal((60, "main.handler", "python3.12"))
        )
        expect(made["Environment"]["Variables"]["TOPICS"]).to(equal("falco.error.*"))
        expect((kept["MaximumRetryAttempts"], kept["MaximumEventAgeInSeconds"])).to(
            equal((2, 3600))
        )
        expect(mapping["EventSourceArn"]).to(equal(first))
        expect(mapping["FunctionResponseTypes"]).to(equal(["ReportBatchItemFailures"]))
        expect(self.topics.list_subscriptions()["Subscriptions"]).to(have_len(1))

        self.deploy("--queue", second, "-n", "responders", "--trigger-topic", self.topic)
        made = self.lambdas.get_function_configuration(FunctionName="falco-delete")

        expect(made["Environment"]["Variables"]["POD_NAMESPACE"]).to(equal("responders"))
        expect([each["EventSourceArn"] for each in self.mappings()]).to(equal([second]))
        expect(self.topics.list_subscriptions()["Subscriptions"]).to(have_len(1))

        self.run("-x")
        expect(self.lambdas.list_functions()["Functions"]).to(be_empty)
        expect(self.mappings()).to(be_empty)
        expect(self.topics.list_subscriptions()["Subscriptions"]).to(be_empty)

    with it("is the same zip file each time, within Lambda's limits, and without kubernetes"):
        request, _ = asked("-e", "EKS_CLUSTER=prod")
        first, second = zip_file(request), zip_file(request)
        names = zipfile.ZipFile(io.BytesIO(first)).namelist()

        expect(first == second).to(equal(True))
        expect(len(first)).to(be_below(1024 * 1024))
        expect(names).to(contain("urllib3/__init__.py", "playbooks/delete.py", "main.py"))
        tops = {name.partition("/")[0] for name in names}
        expect(tops & {"kubernetes", "boto3", "botocore", "yaml"}).to(equal(set()))


not_run_unless(CLUSTER, globals())
not_run_unless(MOTO, globals())
not_run_unless(program("aws"), globals())
