import json

from doublex import Spy, assert_that, called
from expects import be_below_or_equal, be_empty, contain, end_with, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Status
from playbooks.core.ports import Slack
from playbooks.core.subjects import Priority
from playbooks.reactions.notify_slack import NotifySlack
from playbooks.testing import CONTAINER, RecordingSlack, a_document, a_host_alert, an_alert


def posted(alert):
    slack = RecordingSlack()
    NotifySlack(slack).run(alert)
    return slack.messages[0]


def text_of(message):
    return message["attachments"][0]["blocks"][0]["text"]["text"]


def fields_of(message):
    fields = [field["text"] for field in message["attachments"][0]["blocks"][1]["fields"]]
    return dict(field.split("\n", 1) for field in fields)


with description("Telling Slack") as self:
    with it("posts once"):
        with Spy(Slack) as slack:
            pass
        outcome = NotifySlack(slack).run(an_alert())

        assert_that(slack.post, called().times(1))
        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.message).to(equal("told Slack about Terminal shell in container"))

    with it("shows the output without time and priority, whole"):
        message = posted(an_alert(output="03:00:00.000000000: Notice A shell: in: a container"))

        expect(text_of(message)).to(equal("A shell: in: a container"))

    with it("shows the rule where there is no output"):
        expect(text_of(posted(an_alert(output=None)))).to(equal("Terminal shell in container"))

    with it("has a colour of its own for each priority"):
        colours = {
            posted(an_alert(priority=str(priority)))["attachments"][0]["color"]
            for priority in Priority
        }

        expect(colours).to(have_len(8))

    with it("names what the alert points at"):
        fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "container.name": "web"}
        message = posted(an_alert({**fields, "container.id": CONTAINER[:12]}))

        expect(fields_of(message)).to(
            equal(
                {
                    "Rule": "Terminal shell in container",
                    "Priority": "Notice",
                    "Time": "<!date^1767322800^{date_short} {time_secs}"
                    "|2026-01-02T03:00:00.000000000Z>",
                    "Namespace": "shop",
                    "Pod": "web-0",
                    "Container": "web 1376fe875695",
                    "Node": "node-1",
                    "Tags": "container, shell",
                }
            )
        )

    with it("leaves out what is not known"):
        message = posted(a_host_alert(hostname=None, tags=None))

        expect(sorted(fields_of(message))).to(equal(["Priority", "Rule", "Time"]))

    with description("of text from an alert"):
        with before.each:
            self.message = posted(an_alert(output="<!channel> & <https://evil|ok>" + "&" * 9000))

        with it("escapes what Slack would take for control characters"):
            expect(text_of(self.message)).to(
                contain("&lt;!channel&gt; &amp; &lt;https://evil|ok&gt;")
            )

        with it("makes no links of it, and nothing bold"):
            shown = self.message["attachments"][0]["blocks"][0]["text"]

            expect((shown["type"], shown["emoji"])).to(equal(("plain_text", False)))
            expect(self.message["mrkdwn"]).to(equal(False))

        with it("keeps it inside Slack's limits, without cutting an escaped character"):
            expect(len(text_of(self.message))).to(be_below_or_equal(3000))
            expect(text_of(self.message)).to(end_with("&amp;\u2026"))

        with it("keeps fields inside Slack's limits"):
            message = posted(an_alert(tags=["<" * 5000]))

            expect(max(map(len, fields_of(message).values()))).to(be_below_or_equal(2000))

    with it("has the cluster, MITRE ATT&CK, and links that lead where they were told to"):
        slack = RecordingSlack()
        options = MessageOptions(
            "cluster", "https://wiki.example/{rule}", "https://x.example/{pod}?c={cluster}"
        )
        alert = an_alert(
            {"cluster": "eu/../1", "k8s.ns.name": "shop", "k8s.pod.name": "web-0"},
            tags=["mitre_execution", "T1059"],
        )
        NotifySlack(slack, options=options).run(alert)
        (message,) = slack.messages

        expect(fields_of(message)["Cluster"]).to(equal("eu/../1"))
        expect(fields_of(message)["MITRE"]).to(equal("Execution, T1059"))
        expect(message["attachments"][0]["blocks"][-1]["text"]["text"]).to(
            equal(
                "<https://wiki.example/terminal_shell_in_container|Runbook> \u00b7"
                " <https://x.example/web-0?c=eu%2F..%2F1|More>"
            )
        )

    with it("posts what JSON can hold, whatever the output fields are"):
        document = a_document(output_fields={"container.name": ["a"], "k8s.pod.name": 5})

        expect(json.loads(json.dumps(posted(an_alert(document["output_fields"]))))).not_to(be_empty)

    with it("plans without a word to Slack"):
        slack = RecordingSlack()
        action = NotifySlack(slack).plan(an_alert())

        expect(action.message).to(equal("tell Slack: A shell was spawned"))
        expect(slack.messages).to(be_empty)

    with it("posts nothing that must not leave"):
        message = posted(an_alert(output="Notice (command=mysql -pS3cret)", tags=["token=S3cret"]))

        expect(json.dumps(message)).not_to(contain("S3cret"))
