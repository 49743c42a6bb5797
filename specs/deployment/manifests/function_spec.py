import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path

import yaml
from expects import be_none, contain, equal, expect, have_key, have_keys
from mamba import before, description, it

from playbooks.core.cluster.manifest import without_zeros
from playbooks.deployment.manifests.environment import escaped, secrets
from playbooks.deployment.manifests.function import function, triggers
from specs.deployment.mothers import WEBHOOK, a_request, a_slack_request, objects

GOLDEN = Path(__file__).parents[1] / "golden"
CONTENT = ("checksum", "deps", "function")

# What every function is told of itself, beside what is given.
TOLD = ("LEDGER", "NODE_NAME", "POD_NAMESPACE")


def golden(name):
    return without_zeros(yaml.load((GOLDEN / name).read_text(encoding="utf-8"), yaml.CSafeLoader))


def but_for_content(manifest):
    spec = {key: part for key, part in manifest["spec"].items() if key not in CONTENT}
    return {**manifest, "spec": spec}


def but_for_told(made):
    """As if the function had only what is given."""
    copied = json.loads(json.dumps(made))
    container(copied)["env"] = given(container(copied))
    return copied


def given(container):
    return [entry for entry in container["env"] if entry["name"] not in TOLD]


def container(manifest):
    return pod(manifest)["containers"][0]


def pod(manifest):
    return manifest["spec"]["deployment"]["spec"]["template"]["spec"]


def named(secret, captured):
    """What the CLI made of a Secret called slack, for another one."""
    return json.loads(json.dumps(captured).replace("slack", secret))


def env(*arguments, playbook="delete"):
    made = function(a_request(playbook, *arguments), "default")
    return {entry["name"]: entry for entry in container(made).get("env", [])}


with description("The Function") as self:
    with it("is the one that the kubeless CLI makes"):
        made = function(a_request("delete", "-e", "A=1", "-e", "B=x y"), "default")

        expect(but_for_content(without_zeros(but_for_told(made)))).to(
            equal(but_for_content(golden("deploy.yaml")))
        )

    with it("mounts its Secret as the kubeless CLI does"):
        captured = pod(golden("deploy-secrets.yaml"))
        made = pod(without_zeros(function(a_slack_request(), "default")))

        expect(made["volumes"]).to(equal(named("falco-slack", captured["volumes"])))
        expect(made["containers"][0]["volumeMounts"]).to(
            equal(named("falco-slack", captured["containers"][0]["volumeMounts"]))
        )

    with it("has an archive whose checksum it tells"):
        spec = function(a_request(), "default")["spec"]
        code = base64.b64decode(spec["function"])

        expect(spec["checksum"]).to(equal(f"sha256:{hashlib.sha256(code).hexdigest()}"))
        expect(zipfile.ZipFile(io.BytesIO(code)).namelist()).to(contain("delete.py"))

    with it("has a runtime and a name of its own where they are given"):
        made = function(a_request("delete", "-r", "python3.9", "-N", "quick"), "shop")

        expect(made["metadata"]).to(have_keys(name="falco-quick", namespace="shop"))
        expect(made["spec"]).to(have_keys(runtime="python3.9", handler="delete.handler"))

    with it("changes in what Kubeless compares when only the runtime changes"):
        made = [
            function(a_request("delete", "-r", runtime), "default")["spec"]["deployment"]
            for runtime in ("python3.8", "python3.9", "python3.10")
        ]

        expect(made[0]).not_to(equal(made[1]))
        expect(made[1]).not_to(equal(made[2]))

    with it("is told its namespace, its node and its ledger"):
        expect(list(env().values())).to(
            equal(
                [
                    {"name": "LEDGER", "value": "falco-delete-ledger"},
                    {
                        "name": "NODE_NAME",
                        "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}},
                    },
                    {
                        "name": "POD_NAMESPACE",
                        "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
                    },
                ]
            )
        )

    with it("is told no ledger where it acts on nothing"):
        expect(env("-s", "SLACK_WEBHOOK_URL=hooks/url", playbook="slack")).not_to(
            have_key("LEDGER")
        )

    with it("keeps the ledger that is given"):
        expect(env("-e", "LEDGER=ops/ours")["LEDGER"]["value"]).to(equal("ops/ours"))

    with description("given values"):
        with it("has them unchanged"):
            for text in (
                "a,b",
                'say "hi"',
                "a=b",
                "two words",
                "one\ntwo",
                "it's",
                "",
                "é\t%",
                ":x",
            ):
                expect(env("-e", f"V={text}")["V"]["value"]).to(equal(text))

        with it("doubles dollars, which the kubelet halves again"):
            expect(escaped("$(HOME) $$ $x")).to(equal("$$(HOME) $$$$ $$x"))
            expect(env("-e", "V=$(HOME)")["V"]["value"]).to(equal("$$(HOME)"))

    with description("given a secret"):
        with before.each:
            self.request = a_slack_request()

        with it("names the file that holds it"):
            made = container(function(self.request, "default"))

            expect(given(made)).to(
                equal(
                    [{"name": "SLACK_WEBHOOK_URL_FILE", "value": "/falco-slack/SLACK_WEBHOOK_URL"}]
                )
            )

        with it("does not hold it itself"):
            for manifest in objects(self.request).in_order:
                if manifest["kind"] != "Secret":
                    expect(str(manifest)).not_to(contain("hunter2"))

        with it("has it in a Secret of its name"):
            made = secrets(self.request, "default")[0]

            expect(made["metadata"]["name"]).to(equal("falco-slack"))
            expect(base64.b64decode(made["data"]["SLACK_WEBHOOK_URL"]).decode()).to(equal(WEBHOOK))

    with description("given a key of a Secret that exists"):
        with it("mounts that key alone for a secret setting"):
            made = pod(
                function(a_request("slack", "-s", "SLACK_WEBHOOK_URL=team.hooks/url"), "default")
            )

            expect(made["volumes"]).to(
                equal(
                    [
                        {
                            "name": "secret-0",
                            "secret": {
                                "secretName": "team.hooks",
                                "items": [{"key": "url", "path": "url"}],
                            },
                        }
                    ]
                )
            )
            expect(made["containers"][0]["volumeMounts"]).to(
                equal([{"name": "secret-0", "mountPath": "/falco-secrets/team.hooks"}])
            )
            expect(given(made["containers"][0])).to(
                equal(
                    [{"name": "SLACK_WEBHOOK_URL_FILE", "value": "/falco-secrets/team.hooks/url"}]
                )
            )

        with it("refers to it for any other setting"):
            expect(env("-s", "RULES=mine/rules")["RULES"]["valueFrom"]).to(
                equal({"secretKeyRef": {"name": "mine", "key": "rules"}})
            )

        with it("makes no Secret"):
            wanted = a_request("slack", "-s", "SLACK_WEBHOOK_URL=hooks/url")

            expect(next(iter(secrets(wanted, "default")), None)).to(be_none)


with description("A trigger") as self:
    with it("is the one that the kubeless CLI makes, and has a label to find it by"):
        wanted = golden("trigger.yaml")
        wanted["metadata"]["labels"]["function"] = "falco-delete"

        expect(triggers("falco-delete", "default", ["falco.error.*"])).to(equal([wanted]))

    with it("is made for every topic, in their order"):
        made = triggers("falco-delete", "default", ["falco.error.*", "falco.notice.*"])

        expect([(t["metadata"]["name"], t["spec"]["topic"]) for t in made]).to(
            equal(
                [
                    ("falco-delete-trigger-0", "falco.error.*"),
                    ("falco-delete-trigger-1", "falco.notice.*"),
                ]
            )
        )
