from pathlib import Path

import yaml
from expects import contain, equal, expect
from mamba import description, it

from playbooks.commands.__main__ import program
from playbooks.core.ledger.limits import ledger_name
from playbooks.deployment.manifests.rbac import service_account
from specs.deployment.mothers import a_request

DOCS = Path(__file__).parents[2] / "docs"


with description("The CronJob in docs/sweep-cronjob.yaml") as self:
    with it("asks for what falco-playbook understands, with the function's account and ledger"):
        job = yaml.safe_load((DOCS / "sweep-cronjob.yaml").read_text(encoding="utf-8"))
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        name, *words = pod["containers"][0]["args"]
        options = program.commands[name].make_context(name, words).params
        account = service_account(a_request("isolate"), "default")["metadata"]

        expect((name, options["playbook"])).to(equal(("sweep", "isolate")))
        expect(options["ledger"]).to(equal(f"default/{ledger_name('falco-isolate')}"))
        expect(pod["serviceAccountName"]).to(equal(account["name"]))
        expect(job["metadata"]["namespace"]).to(equal(account["namespace"]))

    with it("is explained"):
        text = (DOCS / "undo.md").read_text(encoding="utf-8")

        expect(text).to(contain("(sweep-cronjob.yaml)"))
