import base64
import tempfile
from pathlib import Path
from unittest.mock import patch

from expects import be_below, be_empty, contain, equal, expect, have_len, start_with
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.core.errors import PlaybookError
from playbooks.engines.local import engine
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import WEBHOOK, a_secret, documents_of, run

DELETE = ("-E", "kubeless", "-p", "delete", "-t", "falco.error.*")
SLACK = ("-E", "kubeless", "-p", "slack", "-t", "falco.error.*")


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def a_namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


with description("deploy_playbook") as self:
    with before.each:
        self.cluster = FakeObjects()

    with it("says what it did, what answers which topic, and how to see and remove it"):
        answer = run(*DELETE, "-n", "ops", cluster=self.cluster)

        expect(answer.code).to(equal(0))
        expect(answer.out).to(
            contain(
                "created   Function ops/falco-delete\n",
                "falco-delete-trigger-0 answers falco.error.*\n",
                "falco-playbook status -N delete -n ops\n",
                "kubeless function list falco-delete -n ops\n",
                "kubectl logs deployment/falco-delete -n ops\n",
                "kubeless function logs falco-delete -n ops\n",
                "deploy_playbook -x -p delete -n ops\n",
            )
        )

    with it("says how in the cluster that was named, and in no other"):
        where = ("--context", "staging", "--kubeconfig", "/a/config")
        by_kubectl = " ".join(where)
        said = [
            run(*words, *where, cluster=FakeObjects()).out
            for words in (DELETE, ("-E", "kubernetes", *DELETE[2:]))
        ]

        for each in said:
            expect(each).to(
                contain(
                    "KUBECONFIG=/a/config falco-playbook status -N delete -n default"
                    " --context staging\n",
                    f"kubectl logs deployment/falco-delete -n default {by_kubectl}\n",
                    f"deploy_playbook -x -p delete -n default {by_kubectl}\n",
                )
            )
        expect(said[1]).to(contain("KUBECONFIG=/a/config falco-playbook token -N delete"))

    with it("says that a change of the code wants another image, where there is one"):
        words = ("-E", "kubernetes", *DELETE[2:])

        expect(run(*words, "-i", "x/y:1", cluster=self.cluster).out).to(
            contain("its code:   in x/y:1; after a change of playbooks/ build it again")
        )
        expect(run(*words, "-N", "other", cluster=FakeObjects()).out).not_to(contain("its code:"))

    with it("says that nothing changed"):
        run(*DELETE, cluster=self.cluster)
        answer = run(*DELETE, cluster=self.cluster)

        expect(answer.out).to(contain("unchanged Function default/falco-delete\n"))
        expect(answer.out).not_to(contain("changed   "))

    with it("warns when no controller takes up what it deployed"):
        expect(run(*DELETE, cluster=self.cluster).err).to(
            contain("no controller of Kubeless handles Function default/falco-delete")
        )

    with it("deploys into the namespace of the kubeconfig's context"):
        self.cluster.namespace = "mine"
        run(*DELETE, cluster=self.cluster)

        expect(list(self.cluster.objects)).to(contain(("Function", "mine", "falco-delete")))

    with it("never says a secret"):
        answer = run(*SLACK, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}", cluster=self.cluster)

        expect(answer.code).to(equal(0))
        expect(answer.out + answer.err).not_to(contain("hunter2"))

    with it("removes what it deployed"):
        run(*DELETE, cluster=self.cluster)
        answer = run("-p", "delete", "-x", cluster=self.cluster)

        expect(answer.out).to(contain("removed   Function default/falco-delete\n"))
        expect(self.cluster.names).to(be_empty)

    with it("removes by name, whatever else is typed"):
        run(*DELETE, "-N", "quick", cluster=self.cluster)
        run("-x", *DELETE, "-N", "quick", cluster=self.cluster)

        expect(self.cluster.names).to(be_empty)

    with it("says that there was nothing to remove, and where there is"):
        for typed in (("-p", "delete"), ("-p", "delete", "-N", "quick")):
            answer = run("-x", *typed, cluster=self.cluster)
            name = f"falco-{typed[-1]}"

            expect(answer.code).to(equal(0))
            expect(answer.out).to(equal(f"nothing of {name} was in namespace default\n"))

        run(*DELETE, "-n", "ops", cluster=self.cluster)
        expect(run("-x", "-p", "delete", cluster=self.cluster).out).to(
            equal(
                "nothing of falco-delete was in namespace default; falco-delete is in namespace ops"
                " (-n)\n"
            )
        )

    with it("fails where nothing knows the name of what is to be removed, and says what is alike"):
        run(*DELETE, "-N", "quick", cluster=self.cluster)
        for typed, meant in (("-p", "delte"), "delete"), (("-N", "qick"), "quick"):
            answer = run("-x", *typed, cluster=self.cluster)

            expect((answer.code, answer.out)).to(equal((1, "")))
            expect(answer.err).to(
                contain(f"there is no Function default/falco-{typed[1]}", f"did you mean {meant}?")
            )
        expect(self.cluster.names).to(contain("Function falco-quick"))

    with it("removes what is deployed, whatever its playbook was"):
        run(*DELETE, "-N", "quick", cluster=self.cluster)
        answer = run("-x", "-p", "quick", cluster=self.cluster)

        expect((answer.code, self.cluster.names)).to(equal((0, [])))

    with it("wants to know what to remove"):
        expect(run("-x").err).to(contain("-p PLAYBOOK, or -N NAME"))

    with it("sweeps what functions left behind"):
        run("-p", "taint", "-t", "falco.>", cluster=self.cluster)
        self.cluster.delete(self.cluster.the("Function", "falco-taint"))

        expect(run(*DELETE, cluster=self.cluster).out).to(
            contain("removed   ClusterRole falco-taint.default, whose function is gone\n")
        )

    with it("lists the playbooks with their settings"):
        listed = run("-l").out

        for name in catalogue.names():
            expect(listed).to(contain(f"{name}\n    {catalogue.summary(name)}\n"))
        expect(listed).to(
            contain(
                "    SLACK_WEBHOOK_URL: required, secret\n",
                "    TAINT_EFFECT: default NoSchedule\n",
                "    RULES: default (empty)\n",
            )
        )

    with description("before it touches the cluster"):
        with it("wants the cluster to answer, and says what to look at"):
            self.cluster.failures["/version"] = PlaybookError("connection refused")
            answer = run(*DELETE, cluster=self.cluster)

            expect(answer.code).to(equal(1))
            expect(answer.err).to(
                contain(
                    "does not answer: connection refused", "it is a cluster in memory; KUBECONFIG"
                )
            )

        with it("wants Kubeless' definitions, and says what to do"):
            answer = run(*DELETE, cluster=FakeObjects(served=()))

            expect(answer.code).to(equal(1))
            expect(answer.err).to(
                contain("does not serve kubeless.io/v1beta1", "kubeless/releases", "-E local")
            )

        with it("says which of Kubeless' definitions is missing"):
            answer = run(*DELETE, cluster=FakeObjects(served=("functions",)))

            expect(answer.err).to(contain("kubeless.io/v1beta1 (natstriggers)"))

        with it("wants the Secrets that are referred to"):
            answer = run(*SLACK, "-s", "SLACK_WEBHOOK_URL=hooks/url")

            expect(answer.code).to(equal(1))
            expect(answer.err).to(contain("-s SLACK_WEBHOOK_URL: there is no Secret default/hooks"))

        with it("wants their keys"):
            cluster = FakeObjects(a_secret("hooks", link=WEBHOOK))
            answer = run(*SLACK, "-s", "SLACK_WEBHOOK_URL=hooks/url", cluster=cluster)

            expect(answer.err).to(contain("has no key 'url', only link"))

        with it("wants their values to be valid, and does not show them"):
            cluster = FakeObjects(a_secret("hooks", url="hunter2"))
            answer = run(*SLACK, "-s", "SLACK_WEBHOOK_URL=hooks/url", cluster=cluster)

            expect(answer.code).to(equal(1))
            expect(answer.err).to(contain("is (not shown), expected a URL"))

        with it("takes a value with a line end, as kubectl stores files"):
            cluster = FakeObjects(a_secret("hooks", url=WEBHOOK + "\n"))

            expect(run(*SLACK, "-s", "SLACK_WEBHOOK_URL=hooks/url", cluster=cluster).code).to(
                equal(0)
            )

        with it("warns where Kubeless' namespace is missing, and takes another one"):
            expect(run(*DELETE).err).to(
                contain("there is no namespace kubeless", "KUBELESS_NAMESPACE names another")
            )
            expect(run(*DELETE, environ={"KUBELESS_NAMESPACE": "faas"}).err).to(
                contain("there is no namespace faas")
            )

        with it("warns where an old cluster has not labelled it"):
            expect(run(*DELETE, cluster=FakeObjects(a_namespace("kubeless"))).err).to(
                contain("kubectl label namespace kubeless kubernetes.io/metadata.name=kubeless")
            )

        with it("changes nothing when any of that fails"):
            cluster = FakeObjects(a_secret("hooks", url="hunter2"))
            run(*SLACK, "-s", "SLACK_WEBHOOK_URL=hooks/url", cluster=cluster)

            expect(cluster.calls).to(be_empty)

    with description("asked to print"):
        with it("prints every object, each after what it refers to"):
            answer = run("-d", *DELETE)
            kinds = [document["kind"] for document in documents_of(answer.out)]

            expect(kinds).to(
                equal(
                    [
                        "ServiceAccount",
                        "ClusterRole",
                        "ClusterRoleBinding",
                        "Role",
                        "RoleBinding",
                        "ConfigMap",
                        "Role",
                        "RoleBinding",
                        "ConfigMap",
                        "NetworkPolicy",
                        "Function",
                        "NATSTrigger",
                    ]
                )
            )

        with it("needs no cluster"):
            self.cluster.failures["/version"] = PlaybookError("connection refused")
            answer = run("-d", *DELETE, cluster=self.cluster)

            expect(answer.code).to(equal(0))
            expect(self.cluster.calls).to(be_empty)

        with it("names no owner, whose uid nobody knows yet"):
            expect(run("-d", *DELETE).out).not_to(contain("ownerReferences"))

        with it("prints values such that they are read unchanged"):
            texts = ["1e3", "007", "true", "a: b", "#x", "a\n  b\n\n", "é", "'", '"', " x ", "*a"]
            values = [part for i, text in enumerate(texts) for part in ("-e", f"V{i:02}={text}")]
            documents = list(documents_of(run("-d", *DELETE, *values).out))
            function = next(each for each in documents if each["kind"] == "Function")
            pod = function["spec"]["deployment"]["spec"]["template"]["spec"]

            env = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
            expect([env[f"V{i:02}"] for i in range(len(texts))]).to(equal(texts))

        with it("quotes what another YAML would take for a number"):
            expect(run("-d", *DELETE, "-e", "V=1e3").out).to(contain('value: "1e3"\n'))

        with it("leaves Secrets out, and says what makes them"):
            for engine in ("kubeless", "kubernetes"):
                typed = ("-E", engine, "-p", "slack", "-t", "falco.>")
                answer = run("-d", *typed, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}")

                expect(answer.out).not_to(contain("kind: Secret\n"))
                expect(answer.out + answer.err).not_to(contain("hunter2", encoded("hunter2")))
                expect(answer.err).to(
                    contain(
                        "Secret default/falco-slack (SLACK_WEBHOOK_URL", "deploy_playbook secrets"
                    )
                )

        with it("says nothing of what a secret is, not even by a hash"):
            typed = ("-E", "kubernetes", "-p", "slack", "-t", "falco.>")
            one = run("-d", *typed, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}")
            two = run("-d", *typed, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}x")

            expect(one.out).to(equal(two.out))

        with it("prints the same each time, and another template where something else changes"):
            typed = (
                "-d",
                "-E",
                "kubernetes",
                "-p",
                "delete",
                "-t",
                "falco.>",
                "-e",
                "NATS_TOKEN=x",
            )

            expect(run(*typed).out).to(equal(run(*typed).out))
            expect(run(*typed).out).not_to(equal(run(*typed, "-e", "DRY_RUN=true").out))

        with it("prints no archive where an image has everything"):
            typed = ("-d", "-E", "kubernetes", "-p", "delete", "-t", "falco.>", "-i", "image:1")

            expect(len(run(*typed).out)).to(be_below(15_000))

        with it("prints the Secret where that is asked for, and says so"):
            answer = run("-d", *SLACK, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}", "--show-secrets")

            expect(answer.out).to(contain("kind: Secret\n", encoded(WEBHOOK)))
            expect(answer.err).to(contain("this output contains SLACK_WEBHOOK_URL"))
            expect(run(*SLACK, "--show-secrets").code).to(equal(2))

    with description("asked for the Secrets of what it prints"):
        with it("makes them and nothing else, once"):
            typed = ("-E", "kubernetes", "-p", "delete", "-t", "falco.>", "-e", "NATS_TOKEN=x")
            made = run("secrets", *typed, cluster=self.cluster)
            data = self.cluster.the("Secret", "falco-delete")["data"]
            again = run("secrets", *typed, cluster=self.cluster)

            expect(made.out).to(equal("created   Secret default/falco-delete\n"))
            expect(again.out).to(equal("unchanged Secret default/falco-delete\n"))
            expect(self.cluster.names).to(equal(["Secret falco-delete"]))
            expect(sorted(data)).to(
                equal(["FALCO_HASH_KEY", "HTTP_TOKEN", "NATS_TOKEN", "RELEASE_KEY"])
            )

        with it("makes them such that deploying keeps them"):
            typed = ("-E", "kubernetes", "-p", "delete", "-t", "falco.>")
            run("secrets", *typed, cluster=self.cluster)
            data = dict(self.cluster.the("Secret", "falco-delete")["data"])
            run(*typed, cluster=self.cluster)

            expect(self.cluster.the("Secret", "falco-delete")["data"]).to(equal(data))

    with description("asked for the local engine"):
        with it("calls it with playbook, topics, settings and sources"):
            with patch.object(engine, "main", return_value=7) as main:
                answer = run(
                    *("-E", "local", "-p", "delete", "-t", "falco.>", "-e", "DRY_RUN=true"),
                    *("one.jsonl", "--http", "8080", "-"),
                    environ={"HOME": "/root"},
                )

            arguments, options = main.call_args
            expect(answer.code).to(equal(7))
            expect(arguments).to(
                equal(("delete", ("falco.>",), {"HOME": "/root", "DRY_RUN": "true"}))
            )
            expect([options["source"], options["http_port"]]).to(equal([("one.jsonl", "-"), 8080]))

        with it("takes the worker's settings of NATS, and a URL without a scheme"):
            given = {"NATS_URL": "127.0.0.1:4222", "NATS_USER": "me", "NATS_PASSWORD": "x"}
            words = [word for name, text in given.items() for word in ("-e", f"{name}={text}")]
            with patch.object(engine, "main", return_value=0) as main:
                answer = run(*DELETE, "-E", "local", *words, environ={})

            expect(answer.err).to(equal(""))
            expect(main.call_args[0][2]).to(equal(given))

        with it("takes the namespace that is given for the playbook's own"):
            with patch.object(engine, "main", return_value=0) as main:
                run(*DELETE, "-E", "local", "-n", "ops", environ={"POD_NAMESPACE": "x"})

            expect(main.call_args[0][2]).to(equal({"POD_NAMESPACE": "ops"}))

        with it("refuses a namespace that cannot be one"):
            answer = run(*DELETE, "-E", "local", "-n", "Ops")

            expect(answer.code).to(equal(2))
            expect(answer.err).to(contain("'Ops' cannot be a namespace"))

        with it("reads values from files and checks them as for any engine"):
            with tempfile.TemporaryDirectory() as directory:
                path = Path(directory, "seconds")
                path.write_text("soon")
                answer = run(
                    *("-E", "local", *DELETE, "-e", f"GRACE_PERIOD_SECONDS=@{path}"),
                )

            expect(answer.code).to(equal(2))
            expect(answer.err.splitlines()).to(have_len(1))
            expect(answer.err).to(
                start_with("deploy_playbook: error: GRACE_PERIOD_SECONDS is 'soon'")
            )
