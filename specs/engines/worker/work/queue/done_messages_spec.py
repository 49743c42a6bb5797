from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.work.queue.admission import DoneMessages

with description("What a worker has answered") as self:
    with it("is the messages that ended last, and as many as it is told to"):
        done = DoneMessages(2)
        for number in (1, 2, 3):
            done.add(("FALCO", number))

        expect([("FALCO", n) in done for n in (1, 2, 3)]).to(equal([False, True, True]))
