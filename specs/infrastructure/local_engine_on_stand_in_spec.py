import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from specs.support.conditions import CLUSTER, Condition, not_run_unless
from specs.support.mothers import a_document

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "specs" / "support" / "alerts" / "falco_alerts.jsonl"
KMOCK = Condition(find_spec("kmock") is not None, "kmock is not installed (Python 3.11 and later)")

NO_CLUSTER = {"KUBECONFIG": "", "KUBERNETES_LOAD_KUBE_CONFIG": "", "KUBERNETES_SERVICE_HOST": ""}
PROGRAM = """
import json, os, sys
from playbooks.engines.local import main
if __name__ == "__main__":
    playbook, topics, files = json.loads(sys.argv[1])
    sys.exit(main(playbook, topics, os.environ, source=files))
"""


with description("The local engine, on a stand-in,") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()

    with after.each:
        self.directory.cleanup()

    def run_on(self, playbook, *alerts, topics=("falco.>",), **environ):
        file = Path(self.directory.name) / "alerts.jsonl"
        lines = [each if isinstance(each, str) else json.dumps(each) for each in alerts]
        file.write_text("\n".join(lines))
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, json.dumps([playbook, list(topics), [str(file)]])],
            cwd=ROOT,
            env={**os.environ, **NO_CLUSTER, "TMPDIR": self.directory.name, **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )

    with it("deletes the pod of a recorded alert, and skips it the next time"):
        alerts = RECORDED.read_text().splitlines()
        ran = self.run_on("delete", alerts[25], alerts[26], alerts[34], "nonsense")

        expect(ran.stderr).to(equal(""))
        expect(ran.stdout).to(
            contain(
                "STAND-IN, NOT A CLUSTER",
                "deletion accepted of pod default/hellofalco",
                "pod default/hellofalco is gone",
                "4 alerts in",
                "1 acted, 1 skipped, 2 failed (2 no alert)",
                "The stand-in afterwards",
            )
        )
        expect(ran.returncode).to(equal(0))

    with it("returns 1 where an alert failed that is one"):
        ran = self.run_on(
            "slack",
            a_document(),
            SLACK_WEBHOOK_URL="http://127.0.0.1:1/",
            FUNC_TIMEOUT="1",
            NO_PROXY="127.0.0.1",
        )

        expect(ran.stdout).to(contain("Slack did not answer"))
        expect(ran.returncode).to(equal(1))


not_run_unless(CLUSTER, globals())
not_run_unless(KMOCK, globals())
