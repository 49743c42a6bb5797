from concurrent.futures import ThreadPoolExecutor

from expects import equal, expect, raise_error
from mamba import before, description, it

from playbooks.infrastructure.kubernetes import cluster
from playbooks.infrastructure.kubernetes.cluster import Recent


class Source:
    """Counts what is read."""

    def __init__(self):
        self.read = 0

    def __call__(self):
        self.read += 1
        return self.read


def broken():
    raise RuntimeError("no answer")


with description("Answers that may be a moment old") as self:
    with before.each:
        self.now = 100.0
        self.recent = Recent(clock=lambda: self.now)
        self.source = Source()

    with it("are read once within the time"):
        answers = [self.recent.get("key", 10, self.source) for _ in range(3)]

        expect(answers).to(equal([1, 1, 1]))

    with it("are read again when it is over"):
        self.recent.get("key", 10, self.source)
        self.now += 10

        expect(self.recent.get("key", 10, self.source)).to(equal(2))

    with it("are kept for each key"):
        expect([self.recent.get(key, 10, self.source) for key in "abab"]).to(equal([1, 2, 1, 2]))

    with it("may be nothing, which is an answer too"):
        read = []
        for _ in range(2):
            expect(self.recent.get("key", 10, lambda: read.append(1))).to(equal(None))

        expect(read).to(equal([1]))

    with it("are no errors: these are asked again"):
        expect(lambda: self.recent.get("key", 10, broken)).to(raise_error(RuntimeError))
        expect(self.recent.get("key", 10, self.source)).to(equal(1))

    with it("are forgotten when they are too many"):
        for key in range(cluster.MOST + 1):
            self.recent.get(key, 10, self.source)

        expect(self.recent.get(cluster.MOST, 10, self.source)).to(equal(cluster.MOST + 1))
        expect(self.recent.get(0, 10, self.source)).to(equal(cluster.MOST + 2))

    with it("may be asked for by threads"):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda n: self.recent.get(n % 5, 10, lambda: n % 5), range(200)))

        expect(found).to(equal([n % 5 for n in range(200)]))
