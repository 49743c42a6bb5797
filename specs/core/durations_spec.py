from expects import be_none, equal, expect, raise_error
from mamba import description, it

from playbooks.core.instant import duration, duration_or_off, shown

with description("A length of time") as self:
    with it("is read in seconds, minutes, hours or days"):
        kind = duration(1, 30 * 86400)

        expect([kind(text) for text in ("90s", "10m", "2h", "7d")]).to(
            equal([90.0, 600.0, 7200.0, 604800.0])
        )

    with it("is read up to its limits"):
        kind = duration(60, 3600)

        expect([kind("60s"), kind("1h")]).to(equal([60.0, 3600.0]))
        for text in ("59s", "61m"):
            expect(lambda text=text: kind(text)).to(raise_error(ValueError))

    with it("is nothing else"):
        kind = duration(0, 86400)
        for text in ("", "10", "m", "-1m", "+1m", "1.5h", "10 m", "1h30m", "10M", "١m", "10m\n"):
            expect(lambda text=text: kind(text)).to(raise_error(ValueError))

    with it("says what it takes"):
        said = "a time from 1m to 1d such as 90s, 10m or 2h"

        expect(lambda: duration(60, 86400)("off")).to(raise_error(ValueError, said))
        expect(lambda: duration_or_off(60, 86400)("x")).to(
            raise_error(ValueError, f"{said}, or off")
        )

    with it("can be off, where that is one of its values"):
        expect(duration_or_off(1, 60)("off")).to(be_none)
        expect(duration_or_off(1, 60)("60s")).to(equal(60.0))

    with it("is shown in its two largest units"):
        lengths = (0.04, 0.25, 1, 59.6, 90, 600, 3661, 86400, 90061)

        expect([shown(seconds) for seconds in lengths]).to(
            equal(["0.0s", "0.2s", "1s", "1m", "1m 30s", "10m", "1h 1m", "1d", "1d 1h"])
        )
