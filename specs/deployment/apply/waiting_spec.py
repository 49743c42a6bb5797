import os
import signal

from expects import equal, expect, raise_error
from mamba import description, it

from playbooks.deployment.apply.waiting import Interruptions
from playbooks.deployment.errors import Interrupted

with description("An interruption") as self:
    with it("is only noted, until somebody asks"):
        with Interruptions() as interruptions:
            os.kill(os.getpid(), signal.SIGTERM)

            expect(interruptions.check).to(raise_error(Interrupted, "interrupted by SIGTERM"))

    with it("is none where there was no signal"):
        with Interruptions() as interruptions:
            interruptions.check()

    with it("has the exit code that shells give the signal"):
        expect(Interrupted(signal.SIGINT, "SIGINT").exit_code).to(equal(130))

    with it("leaves handlers as they were"):
        was = signal.getsignal(signal.SIGINT)
        with Interruptions():
            pass

        expect(signal.getsignal(signal.SIGINT)).to(equal(was))

    with it("stays ignored where it was, as under nohup"):
        was = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with Interruptions() as interruptions:
                os.kill(os.getpid(), signal.SIGHUP)
                interruptions.check()
        finally:
            signal.signal(signal.SIGHUP, was)
