from dataclasses import replace

from expects import be_below_or_equal, contain, equal, expect, have_len
from mamba import description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.notifications.slack import message
from playbooks.core.outcome import Outcome
from specs.support.mothers import an_alert

DONE = Outcome.acted("pod shop/web-0", "done", "deletion accepted of pod shop/web-0")


def blocks(outcome, alert=None):
    return message("delete", alert or an_alert(), outcome)["attachments"][0]["blocks"]


with description("The Slack message about an outcome") as self:
    with it("says in its title what was done to what"):
        failed = replace(Outcome.failed(NotPermitted("may not")), target="pod shop/web-0")
        would = Outcome.would_act("pod shop/web-0", "delete", "would delete")
        tripped = Outcome.skipped("budget-used-up", "tripped", "pod shop/web-0", first=True)
        waits = replace(tripped, waits=60.0)
        outcomes = (DONE, failed, would, tripped, waits)
        titles = [message("delete", an_alert(), outcome)["text"] for outcome in outcomes]

        expect(titles).to(
            equal(
                [
                    "delete acted pod shop/web-0",
                    "delete failed pod shop/web-0",
                    "delete would have acted pod shop/web-0",
                    "delete has used up its budget pod shop/web-0",
                    "delete waits with pod shop/web-0",
                ]
            )
        )

    with it("has why as a section of its own, a check a line"):
        found = blocks(replace(DONE, why=("rule 'x' is one of RULES", "3 of 10 actions", "done")))

        expect(found[-1]["text"]["text"]).to(
            equal("*Why*\n1. rule 'x' is one of RULES\n2. 3 of 10 actions\n3. done")
        )
        expect(blocks(DONE)).to(have_len(2))

    with it("names the rule, and has nothing of the alert's text"):
        alert = an_alert(output="03:00:00.0: Notice the words of the alert")

        expect(str(blocks(DONE, alert))).to(contain("Terminal shell in container"))
        expect(str(blocks(DONE, alert))).not_to(contain("words of the alert"))

    with it("lets nothing in it be a link or a mention"):
        found = blocks(replace(DONE, message="<!channel> & <https://x|y>", why=("<@U1>",)))

        expect(found[0]["text"]["text"]).to(equal("&lt;!channel&gt; &amp; &lt;https://x|y&gt;"))
        expect(found[0]["text"]["verbatim"]).to(equal(True))
        expect(found[-1]["text"]["text"]).to(contain("&lt;@U1&gt;"))

    with it("shows what would turn text around, or begin a line of its own"):
        found = blocks(replace(DONE, message="a\u202eb", why=("x\n2. it is exempt", "done")))

        expect(found[0]["text"]["text"]).to(equal("a\\u202eb"))
        expect(found[-1]["text"]["text"]).to(equal("*Why*\n1. x\\n2. it is exempt\n2. done"))

    with it("is as long as Slack takes"):
        found = blocks(replace(DONE, why=("<" * 5000,)))

        expect(len(found[-1]["text"]["text"])).to(be_below_or_equal(3000))
