from expects import be_none, equal, expect
from mamba import description, it

from playbooks.core.tracing.traceparent import TraceParent, headers_of

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{PARENT}-01"

with description("The header traceparent") as self:
    with it("names a trace and a span of it"):
        found = TraceParent.parse(VALID)

        expect((found.trace_id, found.span_id)).to(equal((TRACE, PARENT)))
        expect(str(found)).to(equal(VALID))

    with it("may be of a later version, with more behind what is known"):
        for text in (f"cc-{TRACE}-{PARENT}-01", f"01-{TRACE}-{PARENT}-00-what-comes-next"):
            expect(TraceParent.parse(text)).to(equal(TraceParent(TRACE, PARENT)))

    with it("is none where it has not the form that W3C gives it"):
        for text in (
            "",
            "nonsense",
            VALID.upper(),
            f"00-{TRACE}-{PARENT}",
            f"00-{TRACE}-{PARENT}-1",
            f"00-{TRACE}-{PARENT}-01-more",
            f"0-{TRACE}-{PARENT}-01",
            f"ff-{TRACE}-{PARENT}-01",
            f"00-{'0' * 32}-{PARENT}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE[1:]}-{PARENT}-01",
            f"00-{TRACE}-{PARENT}-01\n",
            f" {VALID}",
            f"01-{TRACE}-{PARENT}-01.more",
            f"00-{'٠' * 32}-{PARENT}-01",
            f"01-{TRACE}-{PARENT}-01-" + "x" * 10_000,
        ):
            expect(TraceParent.parse(text)).to(be_none)

    with it("is read whatever the case of its name, and its flag is not kept"):
        headers = {"TraceParent": f"00-{TRACE}-{PARENT}-00", "tracestate": "a=b"}

        expect(headers_of(TraceParent.of_headers(headers))).to(equal({"traceparent": VALID}))

    with it("is none where there are several, or none"):
        expect(TraceParent.of_headers({"traceparent": VALID, "Traceparent": VALID})).to(be_none)
        expect(TraceParent.of_headers({})).to(be_none)
