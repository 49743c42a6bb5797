import io
import json
from contextlib import redirect_stderr

from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.wanted import Wanted

FUNCTION = {
    "metadata": {
        "namespace": "shop",
        "name": "falco-delete",
        "uid": "uid-1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"function": "falco-delete"},
    }
}


def a_trigger(name, topic):
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-02T00:00:00Z"},
        "spec": {
            "topic": topic,
            "functionSelector": {"matchLabels": {"function": "falco-delete"}},
        },
    }


TRIGGERS = {"a": a_trigger("a", "falco.critical.*"), "b": a_trigger("b", "elsewhere")}


def logged(*calls):
    """The lines of the log, but for when they were written."""
    said = io.StringIO()
    with redirect_stderr(said):
        for call in calls:
            call()
    lines = map(json.loads, said.getvalue().splitlines())
    return [{key: line[key] for key in line if key != "time"} for line in lines]


with description("What is wanted of a worker") as self:
    with it("is what the triggers say, and nothing once the Function is gone"):
        wanted = Wanted("shop", "falco-delete")
        found = []

        def look():
            found.append(([each.topic for each in wanted.subscriptions], len(wanted.refused)))

        logged(
            lambda: wanted.update(FUNCTION, TRIGGERS), look, lambda: wanted.update(None, {}), look
        )

        expect(found).to(equal([(["falco.critical.*"], 1), ([], 1)]))
        expect(wanted.changed.is_set()).to(equal(True))

    with it("is said once"):
        wanted = Wanted("shop", "falco-delete")
        lines = logged(*[lambda: wanted.update(FUNCTION, TRIGGERS)] * 2)

        expect([line["level"] for line in lines]).to(equal(["warning", "info"]))
        expect(lines[1]["topics"]).to(equal(["falco.critical.*"]))

    with it("is what was known last while triggers cannot be followed, which the log says"):
        lines = logged(
            lambda: Wanted.trouble("NotPermitted: no", "not-permitted"),
            lambda: Wanted.trouble("", "not-permitted"),
            lambda: Wanted.trouble("KeyError: 'a'", ""),
        )

        said = "triggers cannot be followed, trying again: "
        expect(lines).to(
            equal(
                [
                    {
                        "level": "warning",
                        "message": f"{said}NotPermitted: no",
                        "reason": "not-permitted",
                    },
                    {
                        "level": "info",
                        "message": "triggers can be followed again",
                        "over": "not-permitted",
                    },
                    {"level": "warning", "message": f"{said}KeyError: 'a'"},
                ]
            )
        )
