"""What each engine's function imports before its first alert: the time is in
benchmarks/functions.py, the set here."""

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from expects import equal, expect
from mamba import description, it

from specs.support.function_packages import PACKAGES, imported

ROOT = Path(__file__).parents[2]

# What an engine has for itself, and no other engine's function may import.
ENGINES_OWN = ("google.auth", "boto3", "botocore", "awslambdaric", "flask", "nats", "kubernetes")

# What makes it faster where it is there; a function installs none of it.
FASTER = ("httptools", "msgspec", "typing_extensions")


def installed_by(package):
    """The top-level modules that it imports, beside those of its SDK."""
    with tempfile.TemporaryDirectory() as directory:
        package.written(directory)
        whole = imported(directory, [package.module], package.environ)
        alone = imported(directory, [package.sdk] if package.sdk else [], {})
    return [name for name in whole["installed"] if name not in (*alone["installed"], *FASTER)]


with description("The function of an engine") as self:
    with it("imports what it uses, and nothing of another engine's"):
        for package in PACKAGES:
            if package.sdk and find_spec(package.sdk) is None:
                continue
            found = installed_by(package)

            expect((package.engine, found)).to(equal((package.engine, [*package.installed])))
            foreign = set(ENGINES_OWN) - set(package.installed)
            expect((package.engine, sorted(set(found) & foreign))).to(equal((package.engine, [])))

    with it("is not what deploying or operating imports: neither needs any engine's packages"):
        code = (
            "import sys, playbooks.deployment.command_line, playbooks.commands.__main__\n"
            "print([m for m in ('google.auth', 'functions_framework', 'h11', 'flask', 'nats',"
            " 'boto3', 'botocore') if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )

        expect((done.stdout.strip(), done.stderr)).to(equal(("[]", "")))
