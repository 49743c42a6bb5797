"""What each engine's function imports before its first alert: the time is in
benchmarks/functions.py, the set here."""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from expects import equal, expect
from mamba import description, it

from specs.support.bytecode import compile_all
from specs.support.engines.packages import PACKAGES, imported
from specs.support.processes import ahead, process

# What an engine has for itself, and no other engine's function may import.
ENGINES_OWN = ("google.auth", "boto3", "botocore", "awslambdaric", "flask", "nats", "kubernetes")

# What makes it faster where it is there; a function installs none of it.
FASTER = ("httptools", "msgspec", "typing_extensions")


def installed_by(package):
    """The top-level modules that it imports, beside those of its SDK."""
    directory = tempfile.TemporaryDirectory()
    package.written(directory.name)
    compile_all(Path(directory.name))
    return ahead(_installed, directory, package)


def _installed(directory, package):
    with directory as path:
        found = imported(path, [package.module], package.environ, sdk=package.sdk)["installed"]
    return [name for name in found if name not in FASTER]


TRIED = [each for each in PACKAGES if not each.sdk or find_spec(each.sdk) is not None]
INSTALLED = [installed_by(package) for package in TRIED]
OPERATING = process(
    sys.executable,
    "-c",
    "import sys, playbooks.deployment.command_line, playbooks.commands.__main__\n"
    "print([m for m in ('google.auth', 'functions_framework', 'h11', 'flask', 'nats',"
    " 'boto3', 'botocore') if m in sys.modules])",
)

with description("The function of an engine") as self:
    with it("imports what it uses, and nothing of another engine's"):
        for package, installed in zip(TRIED, INSTALLED):
            found = installed.result()

            expect((package.engine, found)).to(equal((package.engine, [*package.installed])))
            foreign = set(ENGINES_OWN) - set(package.installed)
            expect((package.engine, sorted(set(found) & foreign))).to(equal((package.engine, [])))

    with it("is not what deploying or operating imports: neither needs any engine's packages"):
        done = OPERATING.result()

        expect((done.stdout.strip(), done.stderr)).to(equal(("[]", "")))
