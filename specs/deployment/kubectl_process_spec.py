import json
import os
import stat
import tempfile
from pathlib import Path
from unittest.mock import patch

from expects import be_empty, contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core.cluster.manifest import reference
from playbooks.deployment import kubectl_process
from playbooks.deployment.kubectl import (
    Conflicting,
    Exists,
    Forbidden,
    KubectlError,
    NotThere,
)
from playbooks.deployment.kubectl_process import KubectlProcess, available

POD = reference("v1", "Pod", "web", "shop")


with description("kubectl") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.path = patch.dict(os.environ, PATH=f"{self.directory.name}:{os.environ['PATH']}")
        self.path.start()
        self.kubectl = KubectlProcess()

    with after.each:
        self.path.stop()
        self.directory.cleanup()

    def answering(self, script):
        """A kubectl that notes its arguments and what it is told, then does this."""
        program = Path(self.directory.name, "kubectl")
        note = f'echo "$*" >{self.directory.name}/arguments; cat >{self.directory.name}/stdin'
        program.write_text(f"#!/bin/sh\n{note}\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IEXEC)

    def refusing(self, said):
        self.answering(f"cat >&2 <<'E'\n{said}\nE\nexit 1")

    def noted(self, what):
        return Path(self.directory.name, what).read_text(encoding="utf-8")

    with it("is told objects as JSON on its standard input"):
        self.answering("echo '{}'")
        self.kubectl.create([{**POD, "data": {"text": "é\n$(x)"}}])

        expect(json.loads(self.noted("stdin"))["items"][0]["data"]["text"]).to(equal("é\n$(x)"))

    with it("has a deadline for every request"):
        self.answering("echo '{}'")
        self.kubectl.raw("/version")

        expect(self.noted("arguments")).to(equal("get --raw /version --request-timeout=20s\n"))

    with it("asks the server about a dry run"):
        self.answering("echo '{}'")
        self.kubectl.replace([POD], dry_run=True)

        expect(self.noted("arguments")).to(contain("replace", "--dry-run=server"))

    with it("prints a list, one object, several, or nothing"):
        for printed, count in (
            ('{"kind": "List", "items": [{"kind": "A"}, {"kind": "B"}]}', 2),
            ('{"kind": "A"}', 1),
            ('{"kind": "A"}\n{"kind": "B"}', 2),
            ("", 0),
        ):
            self.answering(f"cat <<'E'\n{printed}\nE")

            expect(len(self.kubectl.get([POD]))).to(equal(count))

    with it("is not asked for nothing"):
        self.answering("exit 1")

        expect(self.kubectl.get([])).to(be_empty)
        expect(self.kubectl.create([])).to(be_empty)

    with it("fails with an error of what the server said"):
        for reason, kind in (
            ("NotFound", NotThere),
            ("AlreadyExists", Exists),
            ("Conflict", Conflicting),
            ("Forbidden", Forbidden),
            ("Invalid", KubectlError),
        ):
            self.refusing(f'Error from server ({reason}): error when creating "STDIN": why')

            expect(lambda: self.kubectl.create([POD])).to(
                raise_error(kind, f"Error from server ({reason}): why")
            )

    with it("fails with all it said when that is of several kinds"):
        self.refusing("Error from server (Forbidden): a\nError from server (NotFound): b")

        expect(lambda: self.kubectl.create([POD])).to(raise_error(KubectlError, contain("a", "b")))

    with it("fails when it does not end"):
        self.answering("exec sleep 5")
        with patch.object(kubectl_process, "TIMEOUT", 0.1):
            expect(lambda: self.kubectl.raw("/version")).to(
                raise_error(KubectlError, contain("did not end"))
            )

    with it("knows the namespace of the kubeconfig's context"):
        self.answering("printf shop")

        expect(self.kubectl.current_namespace()).to(equal("shop"))

    with it("takes the namespace default where there is no context"):
        self.answering("echo 'error: current-context must exist' >&2; exit 1")

        expect(self.kubectl.current_namespace()).to(equal("default"))

    with it("may not be there"):
        with patch.dict(os.environ, PATH=self.directory.name):
            expect(available()).to(equal(False))
            expect(self.kubectl.current_namespace()).to(equal("default"))
            expect(lambda: self.kubectl.raw("/version")).to(
                raise_error(KubectlError, contain("cannot be run"))
            )
