from expects import be_above, be_false, be_true, equal, expect, raise_error
from mamba import description, it

from playbooks.core.instant import Instant

with description("An instant") as self:
    with it("is read with zero to nine digits after the second"):
        expect(Instant.parse("1970-01-01T00:00:01Z").nanoseconds).to(equal(1_000_000_000))
        expect(Instant.parse("1970-01-01T00:00:01.82302759Z").nanoseconds).to(equal(1_823_027_590))

    with it("is read with an offset"):
        expect(Instant.parse("1970-01-01T02:00:01+02:00")).to(
            equal(Instant.parse("1970-01-01T00:00:01Z"))
        )
        expect(Instant.parse("1969-12-31T22:00:01-02:00")).to(
            equal(Instant.parse("1970-01-01T00:00:01Z"))
        )

    with it("is none without an offset, with ten digits, or of a day that does not exist"):
        for text in (
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05.1234567890Z",
            "2026-02-30T00:00:00Z",
        ):
            expect(lambda text=text: Instant.parse(text)).to(raise_error(ValueError))

    with it("is later or earlier than another by the nanosecond"):
        first = Instant.parse("2026-01-02T03:04:05.000000001Z")
        second = Instant.parse("2026-01-02T03:04:05.000000002Z")

        expect(second).to(be_above(first))
        expect(first > second).to(be_false)
        expect(first == Instant.parse("2026-01-02T03:04:05.000000001Z")).to(be_true)
