import json
import re
import subprocess
import tempfile
from pathlib import Path

from expects import contain, equal, expect, match
from mamba import after, before, description, it

from playbooks.deployment import VERSION
from specs.support.processes import ROOT

CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")

VULNERABILITY = {"id": "PYSEC-0000-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI"}

with description("The Containerfile") as self:
    with it("pins the image that it builds on by its digest, and says what it is"):
        (base,) = re.findall(r"^ARG BASE=(\S+)$", CONTAINERFILE, re.MULTILINE)

        expect(base).to(match(r"^docker\.io/library/python:3\.13-slim@sha256:[0-9a-f]{64}$"))
        expect(set(re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE))).to(equal({"$BASE"}))
        expect(CONTAINERFILE).to(
            contain(f'image.version="{VERSION}"', f'base.name="{base.partition("@")[0]}"')
        )

    with it("runs as nobody in particular, and adds one layer"):
        _, _, final = CONTAINERFILE.rpartition("\nFROM ")

        expect(re.findall(r"^(?:COPY|RUN|ADD) .*$", final, re.MULTILINE)).to(
            equal(["COPY --from=build /opt/falco /opt/falco"])
        )
        expect(final).to(contain("\nUSER 1000:1000\n"))

with description("The scan of the packages") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()

    with after.each:
        self.directory.cleanup()

    def audited(self, *packages):
        """What .ci/audit says and returns where pip-audit found this, or could not say."""
        program, found = (Path(self.directory.name, name) for name in ("pip-audit", "found"))
        found.write_text(json.dumps({"dependencies": packages}))
        write = f'cat {found} >"$last"' if packages else "exit 1"
        program.write_text(f"#!/bin/sh\nfor last; do :; done\n{write}\n")
        program.chmod(0o755)
        done = subprocess.run(
            [str(ROOT / ".ci" / "audit"), str(program)], capture_output=True, text=True
        )
        return done.returncode, done.stdout

    with it("fails for a known vulnerability, and says where it is fixed"):
        code, said = self.audited({"name": "a", "version": "1.0", "vulns": [VULNERABILITY]})

        expect((code, said)).to(
            equal(
                (
                    1,
                    "a 1.0: PYSEC-0000-1, fixed in 2.0\n"
                    "1 of 1 packages scanned, 1 known vulnerabilities\n",
                )
            )
        )

    with it("passes where none is known, and says how many packages that is about"):
        code, said = self.audited({"name": "a", "version": "1.0", "vulns": []}, SKIPPED)

        expect((code, said)).to(equal((0, "1 of 2 packages scanned, 0 known vulnerabilities\n")))

    with it("says that nothing was scanned where no source of advisories answers"):
        for found in ((), (SKIPPED,)):
            code, said = self.audited(*found)

            expect((code, said[:12])).to(equal((0, "NOT SCANNED:")))
