"""Functions outside of the cluster, and in a container of Knative, on the real cluster: each as an
account that may do what its playbook declares and nothing else."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from expects import be_empty, contain, equal, expect, have_key
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.core.cluster.permissions import OWN
from playbooks.deployment.command_line import parse
from playbooks.deployment.engines import registry
from playbooks.deployment.request import request
from playbooks.deployment.request.settings import is_missing
from specs.support.cluster import real_cluster as cluster
from specs.support.cluster.function_account import (
    allowed,
    applied,
    granted,
    kubeconfig,
    revoked,
    token_with,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.engines.callers import EVENT, posted
from specs.support.engines.cloud_function import FUNCTIONS_FRAMEWORK, CloudFunction, asked
from specs.support.engines.falcosidekick import FALCOSIDEKICK, Falcosidekick
from specs.support.engines.openfaas_function import OPENFAAS_TEMPLATE, OpenFaasFunction
from specs.support.engines.process import KnativeFunction
from specs.support.loopback.google_cloud import NAME, GoogleCloud
from specs.support.processes import eventually
from specs.support.programs import falco_playbook

SECRET = ("-e", f"KUBECONFIG_SECRET={NAME}")
PLUGIN = {
    "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
    }
}
# The settings on which a playbook's rights depend and that have no default.
DECIDING = {"chain": ("-e", "STEPS=label,isolate")}


def a_request(playbook, name, namespace, engine="kubernetes"):
    """As it is deployed in this namespace, and limited to it; what decides no rights may lack."""
    typed = ["-E", engine, "-p", playbook, "-N", name, "-n", namespace, "-t", "falco.>"]
    typed += [*DECIDING.get(playbook, ()), "-e", f"NAMESPACES={namespace}"]
    given, wrong = request.read(parse(typed), registry.named(engine).settings)
    assert not [each for each in wrong if not is_missing(each)], wrong
    return given


class Place:
    """A namespace with two pods, of which alerts are about the first."""

    def __init__(self):
        self.namespace, self.cloud = cluster.a_namespace(), None
        self.name = cluster.a_name()[len("falco-") :]
        self.directory = tempfile.TemporaryDirectory()

    def end(self):
        if self.cloud:
            self.cloud.stop()
        self.directory.cleanup()
        cluster.delete_namespace(self.namespace)

    def make_pods(self):
        names = ("web", "other")
        cluster.create(*[cluster.a_pod_manifest(name, self.namespace) for name in names])
        self.pod, self.other = (cluster.running_pod(name, self.namespace) for name in names)

    @property
    def alert(self):
        return cluster.alert_about(self.pod, uuid="u-1")

    def cloud_function(self):
        """Its account may delete pods of the namespace, and nothing else."""
        words = (*SECRET, "-N", self.name, "-n", self.namespace)
        words = (*words, "-e", f"NAMESPACES={self.namespace}")
        wanted, _ = asked(*words)
        token = token_with(wanted, self.namespace)
        self.cloud = GoogleCloud(tokens=(token,) * 20)
        self.cloud.secrets[NAME] = kubeconfig(PLUGIN, namespace=self.namespace)
        return CloudFunction(*words, environ=self.cloud.environ)

    def knative(self):
        """The same, for a Service whose account is named by a kubeconfig instead of a pod."""
        wanted = a_request("delete", self.name, self.namespace)
        user = {"token": token_with(wanted, self.namespace)}
        path = Path(self.directory.name, "kubeconfig")
        path.write_text(kubeconfig(user, namespace=self.namespace))
        return KnativeFunction(
            {
                "KUBERNETES_LOAD_KUBE_CONFIG": "1",
                "KUBECONFIG": str(path),
                "LEDGER": f"{self.namespace}/{wanted.function}-ledger",
                "NAMESPACES": self.namespace,
                "EVENT_TOKEN": "a-token",
            }
        )

    def openfaas(self):
        """As the account that is printed for it, by its token in a kubeconfig."""
        words = ("-N", self.name, "-n", self.namespace, "-e", f"NAMESPACES={self.namespace}")
        _, printed = falco_playbook("permissions", "-p", "delete", "-E", "openfaas", *words)
        applied(printed)
        user = {"token": cluster.token_of(f"falco-{self.name}", self.namespace)}
        path = Path(self.directory.name, "kubeconfig")
        path.write_text(kubeconfig(user, namespace=self.namespace))
        environ = {"KUBECONFIG": str(path)}
        return OpenFaasFunction(*words, "-s", "KUBECONFIG=k/k", environ=environ)

    def expect_only_the_first_gone(self):
        expect(cluster.gone(self.pod)).to(equal(True))
        there = cluster.stored("pod", "other", self.namespace)
        expect(there["metadata"]).not_to(have_key("deletionTimestamp"))


with description("A Cloud Function on a real cluster") as self:
    with before.each:
        self.place = Place()
        self.place.make_pods()

    with after.each:
        self.place.end()

    with it("deletes the pod of an alert that is posted, with a token of its own account"):
        kind = {"Content_Type": "application/json; charset=utf-8"}
        body = json.dumps(self.place.alert).encode()
        function = self.place.cloud_function()
        with function:
            status, outcome = function.post(body, **kind)
            _, again = function.post(body, **kind)

        expect((status, outcome["reason"])).to(equal((200, "deletion-accepted")))
        expect(again["reason"]).to(equal("repeated"))
        self.place.expect_only_the_first_gone()
        name = f"falco-{self.place.name}-ledger"
        ledger = cluster.stored("configmap", name, self.place.namespace)
        expect(ledger["data"]["ledger.json"]).not_to(be_empty)

    with it("is held by a pause that falco-playbook wrote"):
        function = self.place.cloud_function()
        with function:
            words = ("pause", "-N", self.place.name, "-n", self.place.namespace)
            paused = subprocess.run(
                [sys.executable, "-m", "playbooks.commands", *words], capture_output=True
            )
            status, outcome = function.post(json.dumps(self.place.alert).encode())

        expect(paused.returncode).to(equal(0))
        expect((status, outcome["reason"])).to(equal((200, "paused")))
        there = cluster.stored("pod", "web", self.place.namespace)
        expect(there["metadata"]).not_to(have_key("deletionTimestamp"))


with description("A playbook on Knative on a real cluster") as self:
    with before.each:
        self.place = Place()
        self.place.make_pods()

    with after.each:
        self.place.end()

    with it("deletes the pod of an event that has the token, and answers without a body"):
        body = json.dumps(self.place.alert).encode()
        function = self.place.knative()
        with function:
            refused, _ = posted(function.url, body, **EVENT)
            answer = posted(function.url, body, **EVENT, Ce_Falcotoken="a-token", Prefer="reply")

        expect(refused).to(equal(401))
        expect(answer).to(equal((200, b"")))
        self.place.expect_only_the_first_gone()


with description("A function of OpenFaaS on a real cluster") as self:
    with before.each:
        self.place = Place()
        self.place.make_pods()

    with after.each:
        self.place.end()

    with it("deletes the pod of an alert that is posted, with the rights that are printed for it"):
        body = json.dumps(self.place.alert).encode()
        function = self.place.openfaas()
        with function:
            status, outcome = function.post(body)

        expect((status, outcome["reason"])).to(equal((200, "deletion-accepted")))
        self.place.expect_only_the_first_gone()

    with it("is known to falco-playbook, by the binding of its ledger"):
        self.place.openfaas()
        which = ("-N", self.place.name, "-n", self.place.namespace)
        _, said = falco_playbook("status", *which, "-o", "json")
        code, checked = falco_playbook("check", *which)
        _, past = falco_playbook("history", *which)

        (found,) = json.loads(said)
        expect((found["engine"], found["playbook"])).to(equal(("openfaas", "delete")))
        expect(found["settings"]).to(equal({"NAMESPACES": self.place.namespace}))
        expect(checked).to(contain("faas-cli describe", "rights that it needs"))
        expect((code, "is ready" in checked)).to(equal((0, True)))
        expect(past).to(contain("no worker, and so no stream"))


with description("Falcosidekick, to functions on a real cluster,") as self:
    with before.each:
        self.place = Place()
        self.place.make_pods()

    with after.each:
        self.place.end()

    def send(self, **settings):
        sidekick = Falcosidekick(self.place.directory.name, **settings)
        try:
            sidekick.take(self.place.alert)
            self.place.expect_only_the_first_gone()
        finally:
            sidekick.kill()

    with it("has a Cloud Function delete the pod, by its Cloud Run output"):
        function = self.place.cloud_function()
        with function:
            self.send(GCP_CLOUDRUN_ENDPOINT=function.url, GCP_CLOUDRUN_JWT="a.b.c")

        expect([each["reason"] for each in function.outcomes]).to(equal(["deletion-accepted"]))

    with it("has a playbook on Knative delete it, by its CloudEvents output"):
        function = self.place.knative()
        with function:
            token = "falcotoken:a-token"
            self.send(CLOUDEVENTS_ADDRESS=function.url, CLOUDEVENTS_EXTENSIONS=token)


with description("The rights that are printed for the account of a function") as self:
    with before.all:
        self.namespace, self.elsewhere = cluster.a_namespace(), cluster.a_namespace()
        self.requests = {}
        for name in catalogue.names():
            if catalogue.load(name).permissions:
                given = a_request(name, cluster.a_name()[len("falco-") :], self.namespace)
                self.requests[name] = given
                granted(given, self.namespace, email(name))

    with after.all:
        for given in self.requests.values():
            revoked(given, self.namespace)
        for namespace in (self.namespace, self.elsewhere):
            cluster.delete_namespace(namespace)

    with it("allow every verb of its playbook, where it needs it, and none of any other playbook"):
        table = {
            (name, *each)
            for name, given in self.requests.items()
            for each in places(given, self.namespace)
        }
        verbs = sorted({each[1:] for each in table})
        elsewhere = [
            (v, g, r, self.elsewhere) for v, g, r, place in verbs if place == self.namespace
        ]
        for name in self.requests:
            wanted = [each in {row[1:] for row in table if row[0] == name} for each in verbs]

            def heard(asked, user=email(name)):
                keys = ("verb", "group", "resource", "namespace")
                return allowed(user, [dict(zip(keys, each)) for each in asked])

            def as_wanted(wanted=wanted):
                found = dict(zip(verbs, heard(verbs)))
                wrong = {each for each, yes in zip(verbs, wanted) if found[each] != yes}
                assert not wrong, f"{name}: {sorted(wrong)}"
                return True

            eventually(as_wanted)
            expect((name, [e for e, yes in zip(elsewhere, heard(elsewhere)) if yes])).to(
                equal((name, []))
            )


def email(playbook):
    return f"{playbook}@project-1.iam.gserviceaccount.com"


def places(given, namespace):
    """Verb, group, resource and namespace of everything that it needs; none for the cluster's."""
    for permission in given.playbook.rights(given.values):
        place = permission.namespace or ("" if permission.cluster_wide else namespace)
        place = namespace if place == OWN else place
        for verb in permission.verbs:
            yield verb, permission.group, permission.resource, place


not_run_unless(CLUSTER, globals())
not_run_unless(FUNCTIONS_FRAMEWORK, globals(), title="Cloud Function")
not_run_unless(FUNCTIONS_FRAMEWORK, globals(), title="Falcosidekick")
not_run_unless(FALCOSIDEKICK, globals(), title="Falcosidekick")
not_run_unless(OPENFAAS_TEMPLATE, globals(), title="OpenFaaS")
