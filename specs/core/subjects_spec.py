from expects import be_empty, be_false, be_none, be_true, contain, equal, expect
from mamba import description, it

from playbooks.core.subjects import (
    KnownRule,
    Priority,
    advice,
    covers,
    malformed,
    matches,
    overlaps,
    slug,
    subject,
)

WRITE_BELOW_ETC = KnownRule("Write below etc", Priority.ERROR)


with description("A subject") as self:
    with it("is falco, the priority and the rule's slug"):
        expect(subject("Terminal shell in container", Priority.NOTICE)).to(
            equal("falco.notice.terminal_shell_in_container")
        )

    with it("spells informational out"):
        expect(subject("X", Priority.INFORMATIONAL)).to(equal("falco.informational.x"))

    with description("its slug"):
        with it("is what both publishers make of a rule"):
            for rule, expected in (
                ("Container Drift Detected (open+create)", "container_drift_detected_open_create"),
                ("Execution from /dev/shm", "execution_from_dev_shm"),
                ("My.Rule.With.Dots", "my_rule_with_dots"),
                ("Détection d'accès", "d_tection_d_acc_s"),
                ("  spaces  ", "spaces"),
            ):
                expect(slug(rule)).to(equal(expected))

        with it("is empty for a rule without a letter or digit of ASCII"):
            expect(slug("検出")).to(be_empty)

        with it("lowers a dotted capital I as Go does"):
            expect(slug("\u0130D")).to(equal("id"))


with description("A topic") as self:
    with it("matches one token with a star"):
        expect(matches("falco.error.*", "falco.error.write_below_etc")).to(be_true)
        expect(matches("falco.*.*", "falco.notice.a.b")).to(be_false)

    with it("matches the rest, at least one token, with a greater-than sign"):
        expect(matches("falco.>", "falco.error.x")).to(be_true)
        expect(matches(">", "falco")).to(be_true)
        expect(matches("falco.error.x.>", "falco.error.x")).to(be_false)

    with it("matches itself and nothing else"):
        expect(matches("falco.error.x", "falco.error.x")).to(be_true)
        expect(matches("falco.error.x", "falco.error.y")).to(be_false)
        expect(matches("falco.error", "falco.error.y")).to(be_false)

    with it("covers another one"):
        for pattern, other in (
            ("falco.>", "falco.>"),
            (">", "falco.>"),
            ("falco.*.*", "falco.error.*"),
            ("falco.error.*", "falco.error.x"),
            ("falco.>", "falco.error.*"),
        ):
            expect(covers(pattern, other)).to(equal(True))

    with it("does not cover another one"):
        for pattern, other in (
            ("falco.*", "falco.>"),
            ("falco.*.*", "falco.>"),
            ("falco.error.x", "falco.error.*"),
            ("falco", "falco.>"),
            ("falco.a.>", "falco.a"),
        ):
            expect(covers(pattern, other)).to(equal(False))

    with it("overlaps another one where a subject can be of both"):
        expect(overlaps("falco.*.x", "falco.error.*")).to(equal(True))
        expect(overlaps("*.debug.x", "falco.>")).to(equal(True))
        expect(overlaps("falco.error.*", "falco.debug.*")).to(equal(False))
        expect(overlaps("falco", "falco.error")).to(equal(False))

    with description("that NATS refuses"):
        with it("is named with the reason"):
            expect(malformed("falco..x")).to(contain("empty token"))
            expect(malformed("falco.error.")).to(contain("empty token"))
            expect(malformed("falco error")).to(contain("white space"))
            expect(malformed("falco.>.x")).to(contain("last token"))
            expect(malformed("falco.err*.x")).to(contain("whole tokens"))

        with it("is none of the usual ones"):
            for topic in ("falco.error.*", "falco.>", "*.*.*", ">"):
                expect(malformed(topic)).to(be_none)

    with description("that can never match"):
        with it("is told how Falco spells info"):
            expect(advice("falco.info.*")).to(contain("informational"))

        with it("is told which priorities there are"):
            expect(advice("falco.high.*")).to(contain("emergency, alert, critical"))

        with it("is told that subjects are in lower case"):
            expect(advice("falco.Error.*")).to(contain("lower case: error"))

        with it("is told how many tokens there are"):
            expect(advice("falco.error")).to(contain("3 tokens"))
            expect(advice("falco.error.*.*")).to(contain("3 tokens"))
            expect(advice("falco.error.x.>")).to(contain("3 tokens"))

        with it("is told how subjects begin"):
            expect(advice("alerts.error.*")).to(contain("begin with falco"))

        with it("is told the slug of a rule's name"):
            expect(advice("falco.error.Write-below")).to(contain("write_below"))

        with it("is told the priority of a known rule"):
            expect(advice("falco.notice.write_below_etc", (WRITE_BELOW_ETC,))).to(
                contain("falco.error.write_below_etc")
            )

    with description("that can match"):
        with it("needs no advice"):
            topics = ["falco.error.*", "falco.>", ">", "*.*.*", "falco.*.my_own_rule"]
            topics += ["falco.error.>", "falco.error.write_below_etc", "falco.informational.*"]
            for topic in topics:
                expect(advice(topic, (WRITE_BELOW_ETC,))).to(be_none)
