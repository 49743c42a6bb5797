"""A function of AWS Lambda on the real cluster, which stands behind what EKS has: the function is
its role by a token that is verified, in the group of an access entry."""

import json
import tempfile

from expects import be_empty, contain, equal, expect, have_key, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import CredentialsRefused, NotPermitted
from playbooks.infrastructure.amazon import cluster as eks
from playbooks.infrastructure.amazon.api import AwsApi
from specs.support.cluster import real_cluster as cluster
from specs.support.cluster.function_account import applied
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.engines.falcosidekick import FALCOSIDEKICK, Falcosidekick
from specs.support.engines.lambda_function import AWSLAMBDARIC, LambdaApi, LambdaFunction
from specs.support.loopback.aws_cloud import KEYS, MOTO, ROLE, AwsCloud
from specs.support.loopback.eks import EksProxy, Role, Verifier
from specs.support.processes import eventually
from specs.support.programs import falco_playbook

ROLES = {
    KEYS["AWS_ACCESS_KEY_ID"]: Role(ROLE, KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_SESSION_TOKEN"])
}


class Account:
    """A namespace with two pods, of which alerts are about the first, and the group that may do
    there what ``falco-playbook permissions`` printed."""

    def __init__(self):
        self.namespace = cluster.a_namespace()
        self.name = cluster.a_name()[len("falco-") :]
        self.group = f"falco-{self.name}"
        self.proxy = EksProxy(Verifier("prod", ROLES), {ROLE: [self.group]})
        self.cloud = AwsCloud()
        self.cloud.make_cluster("prod", self.proxy.url, self.proxy.authority)
        self.words = ("-N", self.name, "-n", self.namespace, "-e", f"NAMESPACES={self.namespace}")
        _, printed = falco_playbook("permissions", "-p", "delete", "-E", "lambda", *self.words)
        applied(printed)
        names = ("web", "other")
        cluster.create(*[cluster.a_pod_manifest(name, self.namespace) for name in names])
        self.pod, self.other = (cluster.running_pod(name, self.namespace) for name in names)
        wanted = (("delete", "pods"), ("patch", f"configmaps/{self.group}-ledger"))
        eventually(lambda: all(self.may(*each) for each in wanted))

    def end(self):
        self.cloud.stop()
        self.proxy.stop()
        cluster.delete_namespace(self.namespace)

    def may(self, verb, resource):
        words = ("--as", ROLE, "--as-group", self.group, "-n", self.namespace)
        try:
            return cluster.kubectl("auth", "can-i", verb, resource, *words).strip() == "yes"
        except AssertionError:
            return False

    def function(self):
        return LambdaFunction(*("-e", "EKS_CLUSTER=prod", *self.words), environ=self.cloud.environ)

    def api(self, name="prod"):
        """Calls as the function makes them. ``name``: of the cluster that the token is for."""
        environ = self.cloud.environ
        server, authority = eks.described("prod", AwsApi(environ))
        found = {"EKS_CLUSTER": name, "EKS_ENDPOINT": server, "EKS_CA": authority}
        return eks.api_of({**environ, **found})

    @property
    def alert(self):
        return cluster.alert_about(self.pod, uuid="u-1")

    def expect_only_the_first_gone(self):
        expect(cluster.gone(self.pod)).to(equal(True))
        self.expect_there("other")

    def expect_there(self, name):
        there = cluster.stored("pod", name, self.namespace)
        expect(there["metadata"]).not_to(have_key("deletionTimestamp"))


with description("A function of AWS Lambda on a real cluster") as self:
    with before.all:
        self.account = Account()

    with after.all:
        self.account.end()

    with it("may do nothing but what its playbook needs, and nothing with another token"):
        api, own = self.account.api(), self.account.namespace
        there = ("api", "v1", "namespaces", own)
        for call in (
            lambda: api.get(*there, "secrets"),
            lambda: api.post(*there, "pods", body=cluster.a_pod_manifest("new", own)),
            lambda: api.patch(*there, "pods", "web", body={"metadata": {"labels": {"a": "b"}}}),
            lambda: api.delete("api", "v1", "namespaces", "default", "pods", "web", body={}),
            lambda: api.get("api", "v1", "nodes"),
        ):
            expect(call).to(raise_error(NotPermitted))
        expect(lambda: self.account.api("staging").get("version")).to(
            raise_error(CredentialsRefused)
        )
        expect(self.account.proxy.refused).to(contain("the signature differs"))

    with it("deletes nothing while falco-playbook has it paused"):
        which = ("-N", self.account.name, "-n", self.account.namespace)
        falco_playbook("pause", *which)
        made = self.account.function()
        with made as function:
            paused = function.invoke(self.account.alert)
        _, status = falco_playbook("status", *which, "-o", "json")
        falco_playbook("resume", *which)

        expect(paused.document["reason"]).to(equal("paused"))
        self.account.expect_there("web")
        (found,) = json.loads(status)
        expect((found["engine"], found["playbook"])).to(equal(("lambda", "delete")))

    with it("deletes the pod of an alert in a batch of SQS, as its role, and once"):
        alert = self.account.alert
        event = {
            "Records": [
                {"eventSource": "aws:sqs", "messageId": f"m-{number}", "body": body}
                for number, body in enumerate((json.dumps(alert), "{"), 1)
            ]
        }
        made = self.account.function()
        with made as function:
            batch = function.invoke(event)
            again = function.invoke(alert)
            reasons = [each["reason"] for each in function.outcomes]

        expect(batch.document).to(equal({"batchItemFailures": []}))
        expect(reasons).to(equal(["deletion-accepted", "invalid-alert", "repeated"]))
        expect(again.document["reason"]).to(equal("repeated"))
        self.account.expect_only_the_first_gone()
        own = f"/api/v1/namespaces/{self.account.namespace}/pods/web"
        expect(self.account.proxy.passed.count(("DELETE", own))).to(equal(1))
        name = f"{self.account.group}-ledger"
        ledger = cluster.stored("configmap", name, self.account.namespace)
        expect(ledger["data"]["ledger.json"]).not_to(be_empty)


with description("Falcosidekick, to a function of AWS Lambda on a real cluster,") as self:
    with before.all:
        self.account = Account()

    with after.all:
        self.account.end()

    with it("has it delete the pod, by its Lambda output"):
        made = self.account.function()
        with tempfile.TemporaryDirectory() as directory, made as function:
            api = LambdaApi(function)
            sidekick = Falcosidekick(directory, **api.settings)
            try:
                sidekick.take(self.account.alert)
                self.account.expect_only_the_first_gone()
            finally:
                sidekick.kill()
                api.stop()

            expect([each["reason"] for each in function.outcomes]).to(equal(["deletion-accepted"]))


not_run_unless(CLUSTER, globals())
not_run_unless(AWSLAMBDARIC, globals())
not_run_unless(MOTO, globals())
not_run_unless(FALCOSIDEKICK, globals(), title="Falcosidekick")
