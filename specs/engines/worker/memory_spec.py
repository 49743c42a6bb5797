from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.work.admission import Memory

with description("What a worker remembers") as self:
    with it("is the messages that ended last, and as many as it is told to"):
        memory = Memory(2)
        for number in (1, 2, 3):
            memory.add(("FALCO", number))

        expect([("FALCO", n) in memory for n in (1, 2, 3)]).to(equal([False, True, True]))
