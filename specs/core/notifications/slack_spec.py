import json
from dataclasses import replace

from expects import be_below_or_equal, contain, equal, expect, have_len
from mamba import description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.notifications.kinds import undone
from playbooks.core.notifications.slack import of_outcome
from playbooks.core.outcome import Outcome, Status, TargetRef
from playbooks.testing import an_alert

POD = TargetRef("isolate", "Pod", "web-1", "shop", "u-1")
DONE = replace(
    Outcome.acted(
        "pod shop/web-1", "isolated", "policy stored", undo="falco-playbook undo pod/web-1"
    ),
    target_ref=POD,
)
TRIPPED = Outcome.skipped(
    "budget-used-up", "it is used up", "pod shop/web-1", held=True, first=True, tripped="shop"
)


def sent(outcome=DONE, alert=None, **options):
    return of_outcome("isolate", alert or an_alert(), outcome, MessageOptions(**options))


def blocks(outcome=DONE, alert=None, **options):
    return sent(outcome, alert, **options)["attachments"][0]["blocks"]


def texts(found):
    """The type and the text of each object."""
    objects = [each for block in found for each in block.get("fields") or [block["text"]]]
    return [(each["type"], each["text"]) for each in objects]


def text_of(found, beginning):
    return next(text for _, text in texts(found) if text.startswith(beginning))


with description("The Slack message about an outcome") as self:
    with it("says in a sentence what was done to what"):
        failed = replace(Outcome.failed(NotPermitted("may not")), target="pod shop/web-1")
        would = Outcome.would_act("pod shop/web-1", "isolate", "would isolate")
        held = Outcome.skipped("exempt", "until noon", "pod shop/web-1", held=True)
        sentences = {
            "isolate: isolated pod shop/web-1": DONE,
            "isolate: failed about pod shop/web-1: not-permitted": failed,
            "isolate: would have isolated pod shop/web-1 (dry run)": replace(would, target_ref=POD),
            "isolate: holds an alert about pod shop/web-1: exempt": held,
            "isolate: waits with alerts about pod shop/web-1: budget-used-up": replace(
                TRIPPED, waits=60.0
            ),
            "isolate: has used up its budget in namespace shop and holds alerts there": TRIPPED,
            "isolate: released pod shop/web-1": undone(POD, "released", "alice"),
            "isolate: isolate of pod shop/web-1 is not verified": Outcome(
                *(Status.LOOKED, "not-verified", "no", "pod shop/web-1"),
                {"holds": False},
                target_ref=POD,
            ),
            "isolate: isolated pod shop/web-1, and it is so": Outcome(
                *(Status.LOOKED, "verified", "yes", "pod shop/web-1"),
                {"holds": True},
                target_ref=POD,
            ),
            "isolate: Cilium has it after 4s": Outcome(
                *(Status.LOOKED, "identity-confirmed", "Cilium has it after 4s"),
                "pod shop/web-1",
                target_ref=POD,
            ),
            "isolate: Cilium does not have it after 30s": Outcome(
                *(Status.LOOKED, "unconfirmed", "Cilium does not have it after 30s"),
                "pod shop/web-1",
                target_ref=POD,
            ),
            "isolate: told Slack": Outcome.acted("", "notified", "told Slack"),
        }

        expect([sent(outcome)["text"] for outcome in sentences.values()]).to(equal(list(sentences)))
        for verb, past in (("delete", "deleted"), ("taint", "tainted"), ("cordon", "cordoned")):
            done = replace(DONE, target_ref=replace(POD, verb=verb))
            expect(sent(done)["text"]).to(equal(f"isolate: {past} pod shop/web-1"))

    with it("has why as a section of its own, a check a line"):
        found = blocks(replace(DONE, why=("rule 'x' is one of RULES", "3 of 10 actions", "done")))

        expect(texts(found)[-1]).to(
            equal(("plain_text", "Why\n1. rule 'x' is one of RULES\n2. 3 of 10 actions\n3. done"))
        )

    with it("names the rule, and has nothing of the alert's text"):
        alert = an_alert(output="03:00:00.0: Notice the words of the alert")

        expect(str(blocks(alert=alert))).to(contain("Terminal shell in container"))
        expect(str(blocks(alert=alert))).not_to(contain("words of the alert"))

    with it("has the time as Slack shows it to each reader, and as text for others"):
        expect(text_of(blocks(), "Time")).to(
            equal(
                "Time\n<!date^1767322800^{date_short} {time_secs}|2026-01-02T03:00:00.000000000Z>"
            )
        )

    with it("makes nothing bold, no emoji, no link and no mention of text from an alert"):
        alert = an_alert(rule="*bold* _it_ `x` :white_check_mark: <!channel>", tags=["*T1059*"])
        outcome = replace(DONE, message="> quoted & <https://x|y>", why=("*why* <@U1>",))
        found = blocks(outcome, alert)
        formatted = [text for kind, text in texts(found) if kind == "mrkdwn"]

        expect(str(formatted)).not_to(contain("bold", "quoted", "why", "T1059"))
        expect(texts(found)[0]).to(equal(("plain_text", "&gt; quoted &amp; &lt;https://x|y&gt;")))
        objects = [o for block in found for o in block.get("fields") or [block["text"]]]
        expect({o["emoji"] for o in objects if o["type"] == "plain_text"}).to(equal({False}))
        expect({o["verbatim"] for o in objects if o["type"] == "mrkdwn"}).to(equal({True}))
        expect(sent(outcome, alert)["mrkdwn"]).to(equal(False))

    with it("has the command that undoes it, and none that is not one of ours"):
        expect(text_of(blocks(), "*To undo")).to(
            equal("*To undo it*: `falco-playbook undo pod/web-1`")
        )
        other = replace(DONE, details={"undo": "kubectl delete pod `x` <https://x|y>"})
        expect(str(blocks(other))).not_to(contain("To undo"))

    with it("has the command that resets a budget, resumes a playbook, or lists what is held"):
        found = text_of(blocks(TRIPPED, namespace="ops"), "*To reset")
        paused = Outcome.skipped("paused", "by alice", "pod shop/web-1", held=True)

        expect(found).to(
            equal(
                "*To reset the budget*:"
                " `falco-playbook reset -p isolate -n ops --budget-of shop`\n"
                "*To see the alert*: `falco-playbook dead -p isolate -n ops`"
            )
        )
        expect(text_of(blocks(paused), "*To resume")).to(
            contain("`falco-playbook resume -p isolate`", "`falco-playbook dead -p isolate`")
        )

    with it("names the cluster, the trace, and what of MITRE ATT&CK the tags say"):
        alert = an_alert(
            {"cluster": "prod-eu", "k8s.ns.name": "shop"},
            tags=["container", "mitre_privilege_escalation", "T1059.004", "mitre_execution"],
        )
        found = texts(blocks(replace(DONE, trace_id="0af7"), alert))

        expect(found).to(
            contain(
                ("plain_text", "Cluster\nprod-eu"),
                ("plain_text", "Trace\n0af7"),
                ("plain_text", "MITRE\nPrivilege escalation, Execution, T1059.004"),
            )
        )

    with it("has the links that were given, filled in"):
        found = blocks(
            runbook="https://wiki.example/falco/{rule}",
            link="https://grafana.example/d/x?var-namespace={namespace}&var-pod={pod}",
        )

        expect(texts(found)[-1][1]).to(
            equal(
                "<https://wiki.example/falco/terminal_shell_in_container|Runbook> \u00b7"
                " <https://grafana.example/d/x?var-namespace=shop&amp;var-pod=web-1|More>"
            )
        )

    with it("shows what would turn text around, or begin a line of its own"):
        found = texts(blocks(replace(DONE, message="a\u202eb", why=("x\n2. it is exempt", "done"))))

        expect(found[0][1]).to(equal("a\\u202eb"))
        expect(found[-1][1]).to(equal("Why\n1. x\\n2. it is exempt\n2. done"))

    with it("is as long as Slack takes"):
        tags = [f"mitre_{'x' * 40}", *(f"T{n}" for n in range(1000, 1100))]
        alert = an_alert({"cluster": "<" * 900}, tags=tags)
        found = blocks(replace(DONE, why=("<" * 5000,), trace_id="a" * 32), alert)

        expect(len(texts(found)[-1][1])).to(be_below_or_equal(3000))
        for fields in (block["fields"] for block in found if "fields" in block):
            expect(len(fields)).to(be_below_or_equal(10))
            expect(max(len(field["text"]) for field in fields)).to(be_below_or_equal(2000))
        expect(json.loads(json.dumps(found))).to(have_len(len(found)))
