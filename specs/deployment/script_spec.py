import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

SCRIPT = Path(__file__).resolve().parents[2] / "deploy_playbook"


with description("The script deploy_playbook") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.programs = Path(self.directory.name, "bin")
        self.programs.mkdir()
        for name in ("bash", "dirname", "readlink", "env", "cat"):
            found = next(p for p in ("/usr/bin", "/bin") if Path(p, name).exists())
            (self.programs / name).symlink_to(Path(found, name))

    with after.each:
        self.directory.cleanup()

    def python3(self, does=f'exec "{sys.executable}" "$@"'):
        program = self.programs / "python3"
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(program.stat().st_mode | stat.S_IEXEC)

    def run(self, *arguments, script=SCRIPT):
        return subprocess.run(
            [str(script), *arguments],
            cwd=self.directory.name,
            env={"PATH": str(self.programs), "HOME": self.directory.name},
            capture_output=True,
            encoding="utf-8",
            timeout=30,
            check=False,
        )

    with it("works from any directory, and is not led astray by what lies there"):
        Path(self.directory.name, "playbooks").mkdir()
        self.python3()

        expect(self.run("-x").stderr).to(contain("what is to be removed?"))

    with it("works through a symbolic link"):
        self.python3()
        link = Path(self.directory.name, "deploy")
        link.symlink_to(SCRIPT)
        answer = self.run("-x", "-p", "delete", script=link)

        expect(answer.returncode).to(equal(1))
        expect(answer.stderr).to(contain("there is no kubeconfig"))

    with it("passes arguments on as they are"):
        words = ("-d", "-p", "delete", "", "-e", 'V=a "b"  $(c), d=e\n*')
        self.python3("""[ "$1" = - ] || printf '<%s>' "$@\"""")
        passed = "".join(f"<{word}>" for word in ("-m", "playbooks.deployment", *words))

        expect(self.run(*words).stdout).to(equal(passed))

    with it("says what to install where no Python has it"):
        copy = Path(self.directory.name, "deploy_playbook")
        copy.write_bytes(SCRIPT.read_bytes())
        copy.chmod(0o755)
        answer = self.run("-l", script=copy)

        expect(answer.returncode).to(equal(1))
        expect(answer.stderr).to(
            contain("python3 -m venv .venv && . .venv/bin/activate && pip install -e .")
        )

    with it("takes the checkout's own Python where the one on the PATH lacks something"):
        self.python3(does="false")
        copy = Path(self.directory.name, "deploy_playbook")
        copy.write_bytes(SCRIPT.read_bytes())
        copy.chmod(0o755)
        own = Path(self.directory.name, ".venv", "bin", "python")
        own.parent.mkdir(parents=True)
        own.write_text('#!/bin/sh\necho "own $*"\n')
        own.chmod(0o755)

        expect(self.run("-l", script=copy).stdout).to(contain("own -m playbooks.deployment -l"))
