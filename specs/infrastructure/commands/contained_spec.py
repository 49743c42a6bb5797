"""What is contained on a real cluster, as people on call see it and release it."""

import json
import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from specs.support.cluster.real_cluster import (
    a_gated_pod,
    a_namespace,
    alert_about,
    delete_namespace,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.programs import deploy_playbook, falco_playbook, succeeded

with description("What a playbook contains on a real cluster") as self:
    with before.all:
        self.directory = tempfile.TemporaryDirectory()
        self.namespace = a_namespace()
        self.which = ("-p", "label", "-n", self.namespace)
        succeeded(deploy_playbook("-S"))
        deploying = ("-t", "falco.>", "-E", "kubernetes", "-i", "none:1", "--no-wait")
        succeeded(deploy_playbook(*self.which, *deploying))
        pod = a_gated_pod("web", self.namespace)
        self.alert = Path(self.directory.name, "alert.jsonl")
        self.alert.write_text(json.dumps(alert_about(pod)))

    with after.all:
        deploy_playbook("-x", *self.which, "--leave-contained")
        delete_namespace(self.namespace)
        self.directory.cleanup()

    def answer(self):
        """By the ledger of what is deployed."""
        local = ("-E", "local", "-t", "falco.>", str(self.alert))
        return succeeded(deploy_playbook(*self.which, *local))

    with it("is listed until it is released"):
        self.answer()
        (found,) = json.loads(succeeded(falco_playbook("contained", *self.which, "-o", "json")))

        expect(found).to(
            equal(
                {
                    **{"kind": "pod", "namespace": self.namespace, "name": "web", "until": ""},
                    **{"playbook": "label", "by": f"{self.namespace}/falco-label", "error": ""},
                }
            )
        )
        expect(succeeded(falco_playbook("contained", "-A"))).to(contain("pod/web", "falco-label"))

        succeeded(falco_playbook("undo", "pod/web", "-n", self.namespace, "-A"))
        expect(succeeded(falco_playbook("contained", *self.which))).to(
            contain("nothing is contained")
        )

    with it("is left alone once it is released, until a person lets the playbook act on it again"):
        expect(self.answer()).to(contain("no action until"))
        resuming = ("resume", *self.which, "--object", f"pod/{self.namespace}/web")
        expect(succeeded(falco_playbook(*resuming))).to(contain("again, which"))
        expect(self.answer()).to(contain("labeled pod"))
        expect(succeeded(falco_playbook(*resuming))).to(contain("is not left alone"))


not_run_unless(CLUSTER, globals())
