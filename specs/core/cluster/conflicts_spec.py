from expects import equal, expect, raise_error
from mamba import description, it

from playbooks.core.cluster.conflicts import ATTEMPTS, until_written
from playbooks.core.errors import Conflict, NotFound


class Writes:
    """Raises each of the errors in turn, and is written then."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.attempts = 0

    def __call__(self):
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "written"


with description("Writing until nobody else was first") as self:
    with it("takes one attempt where nobody was"):
        write = Writes()

        expect((until_written(write), write.attempts)).to(equal(("written", 1)))

    with it("tries again after a conflict, and says how many there were in between"):
        write, said = Writes(Conflict("theirs"), Conflict("theirs")), []

        expect(until_written(write, between=said.append)).to(equal("written"))
        expect((write.attempts, said)).to(equal((3, [1, 2])))

    with it("gives up in the end with the last conflict"):
        write = Writes(*(Conflict(f"number {n}") for n in range(1, 10)))

        expect(lambda: until_written(write)).to(raise_error(Conflict, f"number {ATTEMPTS}"))
        expect(write.attempts).to(equal(ATTEMPTS))

    with it("tries nothing again after another error"):
        write = Writes(NotFound("gone"))

        expect(lambda: until_written(write)).to(raise_error(NotFound))
        expect(write.attempts).to(equal(1))
