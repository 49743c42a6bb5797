import json

import yaml
from expects import contain, equal, expect, have_keys
from mamba import before, description, it

from specs.commands.fake_cluster import a_cluster, run

USER = ("nats-user", "-p", "delete")


with description("falco-playbook nats-user") as self:
    with before.each:
        self.cluster = a_cluster()
        self.uid = self.cluster.the("Function", "falco-delete")["metadata"]["uid"]

    def said(self, *words):
        found = run(*USER, *words, cluster=self.cluster)

        expect((found.code, found.err)).to(equal((0, "")))
        return found.out

    def subjects(self, *words):
        return [json.loads(line) for line in self.said(*words).splitlines() if line[:8].isspace()]

    with it("prints a user whose every right on consumers is on one of its own"):
        expect(self.said()).to(contain('user: "default.falco-delete", password: $DEFAULT_FALCO_D'))
        own = f"falco-{self.uid}-"
        for subject in self.subjects():
            tokens = subject.split(".")
            if ("CONSUMER" in tokens and "LIST" not in tokens) or subject.startswith("$JS.ACK"):
                name = next(t for t in tokens if t.startswith("falco-"))
                expect(name.startswith((own, "falco-reader-"))).to(equal(True))
                expect("*" in tokens[: tokens.index(name) + 1]).to(equal(False))

    with it("lets it read the answers of NATS to itself alone"):
        found = self.subjects()

        expect(next(s for s in found if s.startswith("_INBOX"))).not_to(equal("_INBOX.>"))
        expect(found).to(contain(f"falco-inbox.{self.uid}", f"falco-outcome.{self.uid}.>"))

    with it("gives it the topics of its triggers, and those that are named"):
        names = {s.split(".")[5] for s in self.subjects() if "INFO.FALCO." in s}
        more = {s.split(".")[5] for s in self.subjects("-t", "falco.debug.*") if "INFO.FALCO." in s}

        expect(len(more - names)).to(equal(1))

    with it("leaves out what reaches the dead letters of all, and takes another stream"):
        expect("FALCO_DEAD" in self.said()).to(equal(True))
        expect("FALCO_DEAD" in self.said("--no-dead")).to(equal(False))
        expect(self.said("--stream", "EVENTS")).to(contain("$JS.API.CONSUMER.LIST.EVENTS"))

    with it("prints the password's variable for NATS' Helm chart, and a Secret for the worker"):
        values = yaml.safe_load(self.said("-o", "values"))
        secret = yaml.safe_load(self.said("-o", "secret"))
        key = {"name": "nats-users", "key": "DEFAULT_FALCO_DELETE"}

        expect(values["container"]["env"]["DEFAULT_FALCO_DELETE"]).to(
            equal({"valueFrom": {"secretKeyRef": key}})
        )
        expect(secret["metadata"]).to(equal({"name": "falco-delete-nats", "namespace": "default"}))
        expect(secret["stringData"]).to(have_keys(NATS_USER="default.falco-delete"))
        expect(self.said("-o", "secret")).not_to(equal(self.said("-o", "secret")))

    with it("says what is wrong with a topic or a stream, and that there is no such function"):
        wrong = run(*USER, "-t", "falco..x", "--stream", "a.b", cluster=self.cluster)
        nothing = run("nats-user", "-p", "taint", cluster=self.cluster)

        expect(wrong.code).to(equal(2))
        expect(wrong.err).to(contain("--topic is 'falco..x'", "--stream is 'a.b'"))
        expect(nothing.code).to(equal(1))
        expect(nothing.err).to(contain("there is no Function default/falco-taint"))
