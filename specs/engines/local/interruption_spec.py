import os
import signal

from expects import be_empty, be_true, equal, expect, have_len
from mamba import before, description, it

from playbooks.engines.local.interruption import Interruption


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


with description("Ctrl-C") as self:
    with before.each:
        self.notes = []
        self.given_up = []
        self.interruption = Interruption(
            give_up=lambda: self.given_up.append(True), note=self.notes.append
        )

    def caught(self, *, busy, times=1):
        """How many of the signals broke in."""
        broken, interruption = 0, self.interruption
        with interruption:
            for _ in range(times):
                try:
                    if busy:
                        with interruption.busy():
                            interrupt()
                    else:
                        interrupt()
                except KeyboardInterrupt:
                    broken += 1
        return broken

    with it("ends the run between two alerts"):
        expect(self.caught(busy=False)).to(equal(1))
        expect(self.notes).to(be_empty)

    with it("waits for the alert under way, and says so"):
        expect(self.caught(busy=True)).to(equal(0))
        expect(self.interruption.requested).to(be_true)
        expect(self.notes).to(have_len(1))

    with it("breaks in the second time, and gives the alert up"):
        expect(self.caught(busy=True, times=2)).to(equal(1))
        expect(self.given_up).to(have_len(1))

    with it("is what it was before, afterwards"):
        before_it = signal.getsignal(signal.SIGINT)
        self.caught(busy=True)

        expect(signal.getsignal(signal.SIGINT) is before_it).to(be_true)
