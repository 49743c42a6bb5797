import os
import subprocess
import tempfile

import yaml
from expects import be_empty, contain, equal, expect, have_key
from mamba import after, before, description, it

from specs.deployment.fake_objects import FakeObjects, NoCluster
from specs.deployment.fake_programs import FakePrograms
from specs.deployment.mothers import documents_of, run
from specs.support.conditions import not_run_unless, program
from specs.support.engines.openfaas_function import asked, openfaas
from specs.support.loopback.server import Answer, LoopbackServer

IMAGE = ("-i", "registry.example/falco-delete:1")
DELETE = ("-E", "openfaas", "-p", "delete", "-t", "falco.error.*", *IMAGE)
TOKEN = ("-s", "HTTP_TOKEN=falco-token/falco-token")
SLACK = ("-E", "openfaas", "-p", "slack", "-t", "falco.>", *IMAGE, *TOKEN)
LOADED = ("-s", "SLACK_WEBHOOK_URL=slack/url")

# Keep what they are given: their words, what is piped into them, and the directory they run in.
KEEPING = """\
#!/bin/sh
if [ -e "$0.fails" ]; then exit 3; fi
echo "$*" >>"$0.words"
case "$*" in
    diff*"-f -") exit 0 ;;
    diff*) /bin/cat "$0.says"; exit "$(/bin/cat "$0.differs")" ;;
    up*) /bin/cp -r . "$0.directory" ;;
    *"-f -") /bin/cat >"$0.stdin" ;;
esac
"""


with description("-E openfaas") as self:
    with before.each:
        self.programs = FakePrograms({"faas-cli": KEEPING, "kubectl": KEEPING})

    with after.each:
        self.programs.close()

    def run(self, *words):
        return self.programs.run(*words)

    def kept(self, name):
        return self.programs.path(name)

    def deployed(self, *words):
        """The function in the stack.yaml that faas-cli was given."""
        done = self.run(*words)
        expect(done.code).to(equal(0))
        stack = yaml.safe_load((self.kept("faas-cli.directory") / "stack.yaml").read_text())
        (function,) = stack["functions"].values()
        return function

    with it("has faas-cli build, push and deploy a directory, as it is written"):
        self.deployed(*DELETE, "--gateway", "https://gateway.example")
        words = self.kept("faas-cli.words").read_text().splitlines()
        directory = self.kept("faas-cli.directory") / "falco-delete"

        expect(words).to(
            equal(
                [
                    "template store pull python3-http-debian",
                    "up --yaml stack.yaml --envsubst=false --gateway https://gateway.example",
                ]
            )
        )
        expect((directory / "handler.py").read_text()).to(
            contain("from playbooks.delete import playbook", "handle = openfaas.handler(playbook)")
        )
        expect((directory / "requirements.txt").read_text()).to(contain("urllib3=="))
        expect((directory / "requirements.txt").read_text()).not_to(contain("kubernetes=="))
        expect((directory / "playbooks" / "delete.py").is_file()).to(equal(True))
        expect([*directory.rglob("deployment"), *directory.rglob("nats")]).to(be_empty)

    with it("says how it is removed, by the gateway that was given"):
        said = self.run(*DELETE, "--gateway", "https://gateway.example").out

        place = "--gateway https://gateway.example -n openfaas-fn"
        expect(said).to(contain(f"deploy_playbook -x -E openfaas -p delete {place}\n"))

    with it("bounds time, memory and scale, and closes the container"):
        function = self.deployed(*DELETE)
        variables = function["environment"]

        expect({name: variables[f"{name}_timeout"] for name in ("exec", "read", "write")}).to(
            equal({"exec": "60s", "read": "65s", "write": "65s"})
        )
        scale = {name.rpartition(".")[2]: v for name, v in function["labels"].items()}
        expect(scale).to(equal({"min": "1", "max": "3", "zero": "false"}))
        expect(function["limits"]).to(equal({"cpu": "1", "memory": "512Mi"}))
        expect(function["readonly_root_filesystem"]).to(equal(True))

    with it("gives topics as the function's own filter, and says where its ledger is"):
        variables = self.deployed(*DELETE, "-n", "responders")["environment"]

        named = {k: v for k, v in variables.items() if k.isupper() and "PYTHON" not in k}
        expect(named).to(
            equal(
                {
                    "LEDGER": "falco-delete-ledger",
                    "POD_NAMESPACE": "responders",
                    "TOPICS": "falco.error.*",
                }
            )
        )

    with it("passes a setting on as it was typed, also where the kubelet would expand it"):
        typed = "shop-$(HOME)-${HOME}"
        variables = self.deployed(*DELETE, "-e", f"RULES={typed}")["environment"]

        expect(variables["RULES"]).to(equal("shop-$$(HOME)-$${HOME}"))

    with it("mounts secrets as OpenFaaS does, and tells variables the paths"):
        function = self.deployed(*SLACK, *LOADED)

        expect(function["secrets"]).to(equal(["falco-token", "slack"]))
        expect(function["environment"]["SLACK_WEBHOOK_URL_FILE"]).to(
            equal("/var/openfaas/secrets/url")
        )
        expect(function["environment"]["HTTP_TOKEN_FILE"]).to(
            equal("/var/openfaas/secrets/falco-token")
        )

    with it("takes no secret that it would have to write down"):
        hook = "SLACK_WEBHOOK_URL=https://hooks.slack.example/hunter2"
        done = self.run(*SLACK, "-e", hook, "-e", "KUBECONFIG=/a/path", "-d")

        expect(done.code).to(equal(2))
        for name in ("SLACK_WEBHOOK_URL", "KUBECONFIG"):
            expect(done.err).to(contain(f"{name} is a secret: keep it in OpenFaaS"))
        expect(done.out + done.err).not_to(contain("hunter2"))

    with it("has an account of its own with its rights, which exist before it"):
        function = self.deployed(*DELETE)
        made = [*documents_of(self.kept("kubectl.stdin").read_text())]
        subjects = [each["subjects"] for each in made if "subjects" in each]
        account = {
            "kind": "ServiceAccount",
            "name": "falco-delete",
            "namespace": "openfaas-fn",
        }

        expect(function["annotations"]).to(equal({"com.openfaas.serviceaccount": "falco-delete"}))
        expect(subjects).to(equal([[account]] * 3))
        expect(made[0]["kind"]).to(equal("ServiceAccount"))

    with it("asks before it gets more rights, and keeps none that it does not need any more"):
        shop = ("-e", "NAMESPACES=shop")
        rights = self.run(*DELETE, *TOKEN, *shop, "-d").out.partition("kubectl apply -f -\n")[2]
        env = [{"name": "NAMESPACES", "value": "shop"}, {"name": "TOPICS", "value": "falco.a.*"}]
        pod = {"containers": [{"name": "falco-delete", "env": env}]}
        there = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "falco-delete", "namespace": "openfaas-fn"},
            "spec": {"template": {"spec": pod}},
        }
        cluster = FakeObjects(there, *documents_of(rights))
        refused = self.programs.run(*DELETE, *TOKEN, cluster=cluster)
        untouched = not self.kept("faas-cli.words").exists()
        other = self.programs.run(*DELETE, *TOKEN, "-e", "NAMESPACES=web", "-y", cluster=cluster)

        expect(refused.code).to(equal(1))
        expect(refused.err).to(contain("NAMESPACES: was shop, now not set", "now the whole"))
        expect(refused.err).to(contain("topics: was falco.a.*, now falco.error.*"))
        expect(untouched).to(equal(True))
        expect(other.err).to(contain("was shop, now web"))
        expect(other.out).to(contain("removed   Role shop/falco-delete.openfaas-fn, which is not"))

    with it("acts with a kubeconfig, where OpenFaaS gives it no account"):
        function = self.deployed(*DELETE, "-s", "KUBECONFIG=falco-kubeconfig/config")

        expect(function["environment"]["KUBECONFIG"]).to(equal("/var/openfaas/secrets/config"))
        expect(function["environment"]["KUBERNETES_LOAD_KUBE_CONFIG"]).to(equal("1"))
        expect(function).not_to(have_key("annotations"))

    with it("needs neither rights nor kubectl for a playbook that acts on no cluster"):
        self.programs.remove("kubectl")
        function = self.deployed(*SLACK, *LOADED)

        expect(function).not_to(have_key("annotations"))

    with it("prints all that faas-cli and kubectl would be given, without either or a cluster"):
        self.programs.remove("faas-cli", "kubectl")
        done = self.run(*DELETE, *TOKEN, "-d")

        expect((done.code, done.err)).to(equal((0, "")))
        for text in (
            "# falco-delete/handler.py",
            "# falco-delete/requirements.txt",
            "lang: python3-http-debian",
            "faas-cli template store pull python3-http-debian",
            "kind: ClusterRole",
        ):
            expect(done.out).to(contain(text))

    with it("says what deploying would change of the function, and of its rights"):
        codes = []
        for code, said in (
            ("0", "YAML matches deployment, no differences found."),
            ("1", "Differences found"),
            ("1", "dial tcp 127.0.0.1:8080: connection refused"),
        ):
            self.kept("faas-cli.says").write_text(said)
            self.kept("faas-cli.differs").write_text(code)
            codes.append(self.run("diff", *DELETE, *TOKEN).code)

        expect(codes).to(equal([0, 1, 2]))
        expect(self.kept("kubectl.words").read_text()).to(contain("diff -f -"))

    with it("warns where alerts are taken from whoever reaches the gateway"):
        expect(self.run(*DELETE, "-d").err).to(contain("HTTP_TOKEN is not given"))

    with it("says where faas-cli comes from where it is not installed, and changes nothing"):
        self.programs.remove("faas-cli")
        done = self.run(*DELETE)

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("faas-cli is not on the PATH (https://docs.openfaas.com"))
        expect(self.kept("kubectl.words").exists()).to(equal(False))

    with it("fails where faas-cli fails"):
        self.kept("faas-cli.fails").touch()

        expect(self.run(*DELETE).err).to(contain("faas-cli failed with exit code 3"))

    with it("removes the function, its account, rights and ledger"):
        done = self.run("-x", "-E", "openfaas", "-p", "delete", "--context", "prod")
        removed = self.kept("kubectl.words").read_text()

        expect(done.code).to(equal(0))
        expect(self.kept("faas-cli.words").read_text()).to(
            equal("remove falco-delete -n openfaas-fn\n")
        )
        expect(removed).to(contain("--context prod delete", "serviceaccounts", "configmaps"))
        expect(removed).to(contain("falco/function-namespace=openfaas-fn"))

    with it("says how to remove the rights where faas-cli fails to remove the function"):
        self.kept("faas-cli.fails").touch()
        done = self.run("-x", "-E", "openfaas", "-p", "delete")

        expect(done.err).to(contain("its rights stay: kubectl delete"))

    with it("refuses what it would ignore, or what OpenFaaS cannot do"):
        words = ("-E", "openfaas", "-p", "delete", "-t", "falco.>", "--gateway", "x")
        wrong = ("-e", "TOPICS=falco.>", "-e", "fprocess=sh", "-s", "RULES=rules/key")
        done = self.run(*words, *wrong, "-s", "HTTP_TOKEN=other/key")

        for text in (
            "-i is not given, expected the name of the image",
            "--gateway is 'x', expected a URL",
            "TOPICS comes from -t",
            "fprocess is a variable that OpenFaaS or deploy_playbook sets itself",
            "-s RULES: OpenFaaS gives secrets as files",
            "rules and other both have the key key",
        ):
            expect(done.err).to(contain(text))


with description("faas-cli itself") as self:
    with it("has -E openfaas say whether something differs"):
        with LoopbackServer(answer=lambda asked: Answer(200, [])) as gateway:
            done = run("diff", *SLACK, *LOADED, "--gateway", gateway.url, cluster=NoCluster())

        expect((done.code, done.err)).to(equal((1, "")))
        expect(done.out).to(contain("not deployed"))

    with it("reads the stack.yaml of -E openfaas, with every setting as it is"):
        request, options = asked(*TOKEN, "-e", "RULES=${HOME:-a}", "--gateway", "https://g.example")
        with tempfile.TemporaryDirectory() as directory:
            openfaas.ENGINE.write(request, options, directory)
            done = subprocess.run(
                ["faas-cli", "generate", "--yaml", "stack.yaml", "--envsubst=false"],
                cwd=directory,
                env={"PATH": os.environ["PATH"], "HOME": directory},
                capture_output=True,
                text=True,
            )

        expect(done.stderr).to(equal(""))
        (function,) = documents_of(done.stdout)
        written = openfaas.ENGINE.stack(request, options)["functions"]["falco-delete"]
        for key in ("environment", "annotations", "labels", "secrets", "limits", "requests"):
            expect((key, function["spec"][key])).to(equal((key, written[key])))
        expect(function["spec"]["readOnlyRootFilesystem"]).to(equal(True))
        expect(function["metadata"]["namespace"]).to(equal("openfaas-fn"))


not_run_unless(program("faas-cli"), globals(), title="faas-cli itself")
