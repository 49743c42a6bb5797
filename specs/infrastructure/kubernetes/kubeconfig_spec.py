"""Which entries of which files count, as with kubectl 1.34. Runs without a cluster."""

import json

from expects import be_a, contain, equal, expect, start_with
from mamba import after, before, description, it

from playbooks.core.errors import NoCluster
from specs.support.loopback.kubeconfigs import Kubeconfigs

with description("kubeconfig files") as self:
    with before.each:
        self.kube = Kubeconfigs()

    with after.each:
        self.kube.clean()

    def found(self, context=""):
        try:
            return self.kube.target(context)
        except NoCluster as error:
            return error

    def text_of(self, text):
        self.kube.environ["KUBECONFIG"] = str(self.kube.file("config", text))
        return str(self.found())

    def files(self, *paths):
        self.kube.environ["KUBECONFIG"] = ":".join(paths)

    def cluster(self, host):
        return self.kube.cluster(server=f"https://{host}")

    with it("give the context that is current, with its namespace and its user"):
        path = self.kube.config(context="prod", namespace="security")

        found = self.found()
        expect([found.context, found.namespace, found.user, found.source]).to(
            equal(["prod", "security", "u-prod", path])
        )
        expect(found.server).to(equal("https://198.18.7.7:6443"))

    with it("give the namespace default where the context has none"):
        self.kube.config(namespace="")

        expect(self.found().namespace).to(equal("default"))

    with it("give another context where it is asked for"):
        first = self.kube.config("a", context="prod")
        second = self.kube.config("b", context="staging", cluster=self.cluster("staging"))
        self.files(first, second)

        expect(self.found().context).to(equal("prod"))
        expect(self.found("staging").server).to(equal("https://staging"))
        expect(str(self.found("nope"))).to(
            start_with("context was not found for specified context: nope")
        )

    with it("are read for the first current-context that is not empty"):
        first = self.kube.config("a", context="prod", current="")
        second = self.kube.config("b", context="staging")
        self.files(first, second)

        expect(self.found().context).to(equal("staging"))

    with it("may name a context of another file"):
        first = self.kube.config("a", context="prod", current="staging")
        second = self.kube.config("b", context="staging", current="")
        self.files(first, second)

        expect(self.found().context).to(equal("staging"))

    with it("are read for the first entry of a name, as a whole"):
        server = {"server": "https://first", "insecure-skip-tls-verify": True}
        first = self.kube.config("a", cluster=server, user={"as": "x"})
        second = self.kube.config("b", cluster=self.cluster("second"), user={"token": "t"})
        self.files(first, second)

        target = self.found()
        expect(target.server).to(equal("https://first"))
        try:
            target.connect()
        except NoCluster as error:
            said = str(error)
        expect(said).to(contain("no credentials"))

    with it("may be missing or empty, and their list may have empty parts"):
        path = self.kube.config()
        empty = str(self.kube.file("empty", ""))
        self.files("/none", "", empty, path, path)

        expect(self.found().context).to(equal("here"))

    with it("are all missing where there is none"):
        self.files("/none", "/nowhere")

        expect(str(self.found())).to(contain("there is no kubeconfig: /none:/nowhere"))

    with it("are missing where a name is longer than that of a file"):
        self.files(self.kube.config(context="prod"), "x" * 300)

        expect(self.found().context).to(equal("prod"))

    with it("are that of the home directory where KUBECONFIG names none"):
        self.kube.config(".kube/config")
        for environ in ({}, {"KUBECONFIG": ""}):
            self.kube.environ.pop("KUBECONFIG", None)
            self.kube.environ.update(environ)
            expect(self.found().context).to(equal("here"))

    with it("are an error where one is broken, though others are well"):
        path = self.kube.config()
        self.files(path, str(self.kube.file("broken", "a: [")))

        expect(str(self.found())).to(start_with("error loading config file"))

    with it("are an error where they are no kubeconfig"):
        for text in ("[]", "text", "clusters: 1", "contexts: [{context: {}}]", "users: [a]", "- ["):
            expect(self.text_of(text)).to(start_with("error loading config file"))
        expect(self.text_of("\x00")).to(start_with("error loading config file"))
        expect(self.text_of("[" * 500)).to(start_with("error loading config file"))
        expect(self.text_of("current-context: [a]")).to(contain("expected to be text"))
        expect(self.text_of("current-context: 2026-13-45")).to(start_with("error loading"))

    with it("are an error where a name is there twice in one file"):
        twice = [{"name": "c", "cluster": {}}] * 2

        expect(self.text_of(json.dumps({"clusters": twice}))).to(contain("duplicate name 'c'"))

    with it("are an error where a value is of another kind"):
        self.kube.config(user={"token": 7})
        expect(str(self.kube.call())).to(contain("token of user u-here is expected to be text"))
        self.kube.config(cluster=self.kube.cluster(insecure_skip_tls_verify="yes"))
        expect(str(self.kube.call())).to(contain("true or false"))
        self.kube.config(user={"exec": []})
        expect(self.kube.call()).to(be_a(NoCluster))
        self.kube.config(user={"exec": "aws"})
        expect(str(self.kube.call())).to(contain("expected to be a mapping"))

    with it("may have keys that nobody knows"):
        self.kube.config(cluster={**self.cluster("a"), "currentcontext": "x"})

        expect(self.found().server).to(equal("https://a"))

    with it("do not send anybody to localhost:8080"):
        self.kube.config(current="")
        expect(str(self.found())).to(contain("has no current-context"))
        nothing = {"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "b"}}]}
        expect(self.text_of(json.dumps(nothing))).to(contain("names cluster 'b': not in"))
