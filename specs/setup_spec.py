import subprocess
import sys
from pathlib import Path

from expects import equal, expect
from mamba import description, it

from playbooks.deployment import VERSION

ROOT = Path(__file__).resolve().parents[1]

with description("The distribution") as self:
    with it("has a name that no other project on PyPI has, and the version of deploy_playbook"):
        asked = [sys.executable, "setup.py", "--name", "--version"]
        done = subprocess.run(
            asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )

        expect(done.stdout.split()[-2:]).to(equal(["falco-playbooks", VERSION]))
