import gzip
import tracemalloc

from expects import be_below, equal, expect
from mamba import description, it

from playbooks.engines.http.content_encoding import BodyRefused, decoded

BODY = b'{"rule": "A rule"}'
LONGEST = 1024 * 1024


def refusal(body, encoding="gzip"):
    try:
        decoded(body, encoding, longest=LONGEST)
    except BodyRefused as error:
        return error.status
    return 200


with description("A body with Content-Encoding") as self:
    with it("is inflated where it is gzip, as Falco sends it"):
        for name in ("gzip", "GZIP ", "x-gzip"):
            expect(decoded(gzip.compress(BODY), name, longest=LONGEST)).to(equal(BODY))

    with it("is as it is where there is none"):
        for name in ("", "identity"):
            expect(decoded(BODY, name, longest=LONGEST)).to(equal(BODY))
            expect(refusal(bytes(LONGEST + 1), name)).to(equal(413))

    with it("is refused in another encoding, and in more than one"):
        for name in ("br", "deflate", "zstd", "gzip, gzip"):
            expect(refusal(BODY, name)).to(equal(415))

    with it("is refused where it is no gzip, broke off, or goes on"):
        whole = gzip.compress(BODY)

        for body in (BODY, b"", whole[:-4], whole + b"x", whole + whole):
            expect(refusal(body)).to(equal(400))

    with it("is never inflated further than the longest alert"):
        bomb = gzip.compress(bytes(16 * LONGEST), 9)
        tracemalloc.start()
        status = refusal(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        expect(status).to(equal(413))
        expect(peak).to(be_below(4 * LONGEST))
        expect(refusal(gzip.compress(bytes(LONGEST)))).to(equal(200))
