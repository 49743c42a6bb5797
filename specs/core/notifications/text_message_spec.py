from dataclasses import replace

from expects import be_below, contain, equal, expect
from mamba import description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.notifications import text_message
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.testing import CONTAINER, an_alert

DONE = replace(
    Outcome.acted("pod shop/web-0", "isolated", "stored", undo="falco-playbook undo pod/web-0"),
    target_ref=TargetRef("isolate", "Pod", "web-0", "shop", "u-1"),
    why=("nothing exempts it", "stored"),
)


def of_alert(alert, **options):
    return text_message.of_alert("notify", alert, MessageOptions(**options))


def of_outcome(outcome=DONE, alert=None, **options):
    return text_message.of_outcome(
        "isolate", alert or an_alert(), outcome, MessageOptions(**options)
    )


with description("The message in plain text about an alert") as self:
    with it("says what the message to Slack says"):
        fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "container.name": "web"}
        alert = an_alert({**fields, "container.id": CONTAINER[:12]}, tags=["mitre_execution"])
        message = of_alert(alert, runbook="https://wiki.example/{rule}")

        expect(message.title).to(equal("Notice: Terminal shell in container"))
        expect(message.body).to(
            equal(
                "A shell was spawned\n"
                "\n"
                "Rule: Terminal shell in container\n"
                "Priority: Notice\n"
                "Time: 2026-01-02T03:00:00.000000000Z\n"
                "Namespace: shop\n"
                "Pod: web-0\n"
                "Container: web 1376fe875695\n"
                "Node: node-1\n"
                "MITRE: Execution\n"
                "Tags: mitre_execution\n"
                "\n"
                "Runbook: https://wiki.example/terminal_shell_in_container"
            )
        )

    with it("is as urgent as the alert"):
        found = {name: of_alert(an_alert(priority=name)).urgency for name in ("Notice", "Warning")}

        expect(found).to(equal({"Notice": "info", "Warning": "warning"}))
        expect(of_alert(an_alert(priority="Critical")).urgency).to(equal("failure"))

    with it(
        "mentions nobody and makes no link of what an alert says, which has no line of its own"
    ):
        said = "@everyone <!channel> <@1> [a](b) https://evil.example\nRule: none\x1b[2J"
        body = of_alert(an_alert(output=said, tags=["@all"])).body

        expect(body.split("\n")[0]).to(
            equal(
                "@\u200beveryone <\u200b!channel> <\u200b@\u200b1> [a]\u200b(b)"
                " https:\u200b//evil.example\\nRule: none\\x1b[2J"
            )
        )
        expect(body).to(contain("Tags: @\u200ball"))

    with it("is bounded"):
        message = of_alert(an_alert(output="x" * 100_000, tags=["y" * 100_000]))

        expect(len(message.body)).to(be_below(3000))

with description("The message in plain text about an outcome") as self:
    with it("says what was done, how to undo it, and why, and not the alert's own text"):
        message = of_outcome(alert=an_alert(output="Notice words"), link="https://x.example/{pod}")

        expect(message.title).to(equal("isolate: isolated pod shop/web-0"))
        expect(message.urgency).to(equal("success"))
        expect(message.body).to(
            contain(
                "stored\n\nRule: Terminal shell in container\n",
                "\nReason: isolated\n",
                "\n\nTo undo it: falco-playbook undo pod/web-0\nMore: https://x.example/web-0\n",
                "\n\n1. nothing exempts it\n2. stored",
            )
        )
        expect(message.body).not_to(contain("words"))

    with it("has no command that is none of ours"):
        odd = replace(DONE, details={"undo": "kubectl delete ns shop; rm -rf /"})

        expect(of_outcome(odd).body).not_to(contain("rm -rf"))

    with it("is a failure where something failed"):
        failed = replace(Outcome.failed(NotPermitted("may not")), target="pod shop/web-0")

        expect(of_outcome(failed).urgency).to(equal("failure"))
