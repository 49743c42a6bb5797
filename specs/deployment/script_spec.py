import stat
import sys
import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from specs.support.processes import ahead, run

SCRIPT = Path(__file__).resolve().parents[2] / "deploy_playbook"


class Place:
    """A directory to run it in, with the few programs that it needs."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)
        self.programs = self.path / "bin"
        self.programs.mkdir()
        for name in ("bash", "dirname", "readlink", "env", "cat"):
            found = next(p for p in ("/usr/bin", "/bin") if Path(p, name).exists())
            (self.programs / name).symlink_to(Path(found, name))

    def python3(self, does=f'exec "{sys.executable}" "$@"'):
        program = self.programs / "python3"
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(program.stat().st_mode | stat.S_IEXEC)

    def run(self, *arguments, script=SCRIPT):
        environ = {"PATH": str(self.programs), "HOME": str(self.path)}
        return run([str(script), *arguments], self.path, environ)


def among_others():
    """From a directory that has something of the package's name."""
    place = Place()
    with place.directory:
        (place.path / "playbooks").mkdir()
        place.python3()
        return place.run("-x")


def linked():
    place = Place()
    with place.directory:
        place.python3()
        link = place.path / "deploy"
        link.symlink_to(SCRIPT)
        return place.run("-x", "-p", "delete", script=link)


AMONG_OTHERS, LINKED = ahead(among_others), ahead(linked)

with description("The script deploy_playbook") as self:
    with before.each:
        self.place = Place()

    with after.each:
        self.place.directory.cleanup()

    with it("works from any directory, and is not led astray by what lies there"):
        expect(AMONG_OTHERS.result().stderr).to(contain("what is to be removed?"))

    with it("works through a symbolic link"):
        answer = LINKED.result()

        expect(answer.returncode).to(equal(1))
        expect(answer.stderr).to(contain("there is no kubeconfig"))

    with it("passes arguments on as they are"):
        words = ("-d", "-p", "delete", "", "-e", 'V=a "b"  $(c), d=e\n*')
        self.place.python3("""[ "$1" = - ] || printf '<%s>' "$@\"""")
        passed = "".join(f"<{word}>" for word in ("-m", "playbooks.deployment", *words))

        expect(self.place.run(*words).stdout).to(equal(passed))

    with it("says what to install where no Python has it"):
        copy = self.place.path / "deploy_playbook"
        copy.write_bytes(SCRIPT.read_bytes())
        copy.chmod(0o755)
        answer = self.place.run("-l", script=copy)

        expect(answer.returncode).to(equal(1))
        expect(answer.stderr).to(
            contain("python3 -m venv .venv && . .venv/bin/activate && pip install -e .")
        )

    with it("takes the checkout's own Python where the one on the PATH lacks something"):
        self.place.python3(does="false")
        copy = self.place.path / "deploy_playbook"
        copy.write_bytes(SCRIPT.read_bytes())
        copy.chmod(0o755)
        own = self.place.path / ".venv" / "bin" / "python"
        own.parent.mkdir(parents=True)
        own.write_text('#!/bin/sh\necho "own $*"\n')
        own.chmod(0o755)

        expect(self.place.run("-l", script=copy).stdout).to(
            contain("own -m playbooks.deployment -l")
        )
