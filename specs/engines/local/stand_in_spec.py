import io
import json
import os
import tempfile
from contextlib import redirect_stderr
from pathlib import Path
from unittest.mock import patch

from expects import contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.deployment.engines.local import find_target
from playbooks.engines.local.engine import main
from playbooks.testing import a_document
from specs.support.engines.local_engine import NO_CLUSTER

ALERTS = Path(__file__).parents[2] / "support" / "alerts"
RECORDED = ALERTS / "falco_alerts.jsonl"


with description("The local engine, on a stand-in,") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()

    with after.each:
        self.directory.cleanup()

    def run_on(self, playbook, *files, **environ):
        """The exit code, what it reported, and what it said on standard error."""
        reported, said = io.StringIO(), io.StringIO()
        logs = {"XDG_STATE_HOME": self.directory.name}
        with patch.dict(os.environ), redirect_stderr(said):
            code = main(
                playbook,
                ["falco.>"],
                {**NO_CLUSTER, **logs, **environ},
                source=[str(file) for file in files],
                output=reported,
                target=find_target,
            )
        return code, reported.getvalue(), said.getvalue()

    def a_file(self, *alerts):
        file = Path(self.directory.name) / "alerts.jsonl"
        lines = [each if isinstance(each, str) else json.dumps(each) for each in alerts]
        file.write_text("\n".join(lines))
        return file

    with it("deletes the pod of a recorded alert, and skips it the next time"):
        alerts = RECORDED.read_text().splitlines()
        code, reported, said = self.run_on(
            "delete", self.a_file(alerts[25], alerts[26], alerts[34], "nonsense")
        )

        expect(said).to(equal(""))
        expect(reported).to(
            contain(
                "STAND-IN, NOT A CLUSTER",
                "deletion accepted of pod default/hellofalco",
                "pod default/hellofalco is gone",
                "4 alerts in",
                "1 acted, 1 skipped, 2 failed (2 no alert)",
                "The stand-in afterwards",
            )
        )
        expect(code).to(equal(0))

    with it("answers the recorded alerts as README says, and logs a line for each"):
        code, reported, _ = self.run_on("delete", RECORDED)
        log = Path(self.directory.name, "falco-playbooks", "delete.log")

        expect(reported).to(
            contain(
                "5 acted, 29 skipped, 1 failed (1 no alert)",
                "falco-pod-delete-7dc9f5fbb8-gbfk7  terminating, until 2021-04-10T19:27:21Z",
                "policy  default/mysql-from-apps                        some ingress",
            )
        )
        logged = [line for line in log.read_text().splitlines() if line.startswith("{")]
        expect(len(logged)).to(equal(35))
        expect([line for line in logged if '"invalid-alert"' in line]).to(have_len(1))
        expect(code).to(equal(0))

    with it("returns 1 where an alert failed that is one"):
        code, reported, _ = self.run_on(
            "slack",
            self.a_file(a_document()),
            SLACK_WEBHOOK_URL="http://127.0.0.1:1/",
            FUNC_TIMEOUT="1",
            NO_PROXY="127.0.0.1",
        )

        expect(reported).to(contain("Slack did not answer"))
        expect(code).to(equal(1))
