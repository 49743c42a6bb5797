import fcntl
import stat
import tempfile
from pathlib import Path

from expects import equal, expect, start_with
from mamba import after, before, description, it

from playbooks.engines.local.log_file import log_file

with description("The log of a run in the foreground") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.place = Path(self.directory.name, "falco-playbooks")

    with after.each:
        self.directory.cleanup()

    def log(self, playbook="delete", **environ):
        return log_file(playbook, environ or {"XDG_STATE_HOME": self.directory.name})

    with it("is one file for each playbook, for its owner alone"):
        path = self.log()

        expect(path).to(equal(self.place / "delete.log"))
        expect(stat.S_IMODE(path.stat().st_mode)).to(equal(0o600))
        expect(self.log("taint")).to(equal(self.place / "taint.log"))

    with it("is taken over by the next run, which begins with an empty one"):
        self.log().write_text("before")

        expect(self.log().read_text()).to(equal(""))
        expect([path.name for path in self.place.iterdir()]).to(equal(["delete.log"]))

    with it("is another one while somebody else logs there"):
        self.place.mkdir()
        other = (self.place / "delete.log").open("w")
        other.write("theirs")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)

        expect(self.log()).to(equal(self.place / "delete-2.log"))
        expect((self.place / "delete.log").read_text()).to(equal("theirs"))
        other.close()

    with it("lies in the home directory where nothing else is said"):
        expect(self.log(HOME=self.directory.name)).to(
            equal(Path(self.directory.name, ".local/state/falco-playbooks/delete.log"))
        )

    with it("is a temporary file where that cannot be"):
        self.place.write_text("no directory")
        path = self.log()
        path.unlink()

        expect(path.name).to(start_with("falco-delete-"))

    with it("does not follow a link"):
        self.place.mkdir()
        target = Path(self.directory.name, "precious")
        target.write_text("precious")
        (self.place / "delete.log").symlink_to(target)
        self.log().unlink()

        expect(target.read_text()).to(equal("precious"))
