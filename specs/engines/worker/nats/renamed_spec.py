import json

from expects import be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.core.alert import SHORT
from playbooks.engines.worker.nats.renamed import LONG, RenamedTopics, SeenSubjects
from playbooks.engines.worker.topics import renaming
from playbooks.testing import a_document

TOPIC = "falco.critical.*"


def body(priority="Critical"):
    return json.dumps({**a_document(), "rule": "A shell", "priority": priority}).encode()


def seen(*subjects, topics=(TOPIC,), priority="Critical"):
    found = SeenSubjects(topics)
    for subject in subjects:
        found.add(subject, body(priority))
    return found


with description("What was seen of a stream") as self:
    with it("has the topics whose alerts are stored under other subjects"):
        expect(seen("audit.critical.a_shell").renamed).to(equal({TOPIC: "audit.critical.a_shell"}))

    with it("has none that one of its own alerts came for, nor one that nothing came for"):
        expect(seen("audit.critical.a_shell", "falco.critical.a_shell").renamed).to(be_empty)
        expect(seen("falco.error.a_shell", priority="Error").renamed).to(be_empty)
        expect(seen().renamed).to(be_empty)

    with it("takes no message for an alert that is none"):
        found = SeenSubjects((TOPIC,))
        found.add("audit.x", b"nonsense")

        expect(found.renamed).to(be_empty)

    with it("reads no long alert, which would keep the loop from turning"):
        found = SeenSubjects((TOPIC,))
        found.add("audit.critical.a_shell", body().ljust(SHORT + 1))

        expect(found.renamed).to(be_empty)


with description("Renamed topics") as self:
    with before.each:
        self.now = 0.0
        self.topics = RenamedTopics(lambda: self.now)

    with it("are those that stay so for long"):
        self.topics.add(seen("audit.x"))
        expect(self.topics.found).to(be_empty)
        self.now += LONG
        self.topics.add(seen("audit.x"))

        expect(self.topics.found).to(equal({TOPIC: "audit.x"}))
        expect(renaming(TOPIC, "audit.x")).to(contain(TOPIC, "audit.x", "renames subjects"))

    with it("are none any more once an alert comes under its own subject, or the topic is gone"):
        for end in (
            lambda: self.topics.add(seen("falco.critical.a_shell")),
            lambda: self.topics.keep(()),
        ):
            self.topics.add(seen("audit.x"))
            self.now += LONG
            end()

            expect(self.topics.found).to(be_empty)
