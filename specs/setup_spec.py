import re
import sys

from expects import contain, equal, expect
from mamba import description, it

from playbooks.deployment import VERSION
from specs.support.processes import ROOT, process

# Runs programs as if what a worker imports were not installed.
WITHOUT = """\
import sys
absent = "nats nkeys h11 prometheus_client msgspec httptools uvloop fsspec"
for name in absent.split():
    sys.modules[name] = None
from playbooks.deployment.__main__ import main
from playbooks.deployment.verbs import Tools
import playbooks.commands.__main__
for words in (["-l"], ["-S", "-d"], "-E kubernetes -n a -p delete -t falco.> -d".split()):
    sys.stdout.flush()
    assert main(words, Tools({}, lambda *_: None)) == 0, words
"""

NAMED = process(sys.executable, "setup.py", "--name", "--version")
ALONE = process(sys.executable, "-c", WITHOUT)

with description("The distribution") as self:
    with it("has a name that no other project on PyPI has, and the version of deploy_playbook"):
        done = NAMED.result()

        expect(done.returncode).to(equal(0))
        expect(done.stdout.split()[-2:]).to(equal(["falco-playbooks", VERSION]))

    with it("has the version of the newest section of the changelog, which has a date"):
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        released = re.findall(
            r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE
        )

        expect(released[0][0]).to(equal(VERSION))
        expect(released).to(equal(sorted(released, reverse=True)))

    with it("is for the Pythons that README names and that the check runs"):
        setup = (ROOT / "setup.py").read_text(encoding="utf-8")
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        check = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        oldest, newest = re.findall(r"with Python (3\.\d+) to (3\.\d+)", readme)[0]
        named = re.findall(r"for version in \((.*?)\)\)", setup)[0].replace('"', "").split(", ")

        expect([named[0], named[-1]]).to(equal([oldest, newest]))
        expect(re.findall(r'python_requires=">=(.*?)"', setup)).to(equal([oldest]))
        expect(check).to(contain(f"offline python{newest}"))

    with it("puts both programs on the PATH"):
        setup = (ROOT / "setup.py").read_text(encoding="utf-8")

        expect(setup).to(contain('"deploy_playbook = ', '"falco-playbook = '))

    with it("installs all that the two programs import: nothing that only a worker has"):
        done = ALONE.result()

        expect(done.stderr).not_to(contain("Traceback"))
        expect(done.returncode).to(equal(0))
