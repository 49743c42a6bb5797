"""All guards together: their order, and what each declares."""

import ast
import inspect

from expects import be_empty, be_true, equal, expect, have_len
from mamba import description, it

from playbooks import delete, isolate, slack, taint
from playbooks.core import guards
from playbooks.core.guards.guard import Context
from playbooks.core.ledger import book
from playbooks.core.ports import Collaborators
from playbooks.core.settings import read
from playbooks.testing import FakeOwnPod, FixedClock, some_collaborators


def built(playbook, collaborators, **given):
    settings = read(playbook.settings, given)
    reaction = playbook.build(settings, collaborators)
    context = Context(playbook.name, settings, collaborators, reaction)
    return [type(guard) for guard in guards.guards(context)]


def refusals(source):
    """The reason codes that it refuses with."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "refused":
            yield ast.literal_eval(node.args[0])


def used_by(guard):
    # The last one has the book answer.
    module = book if guard is guards.BlastRadius else inspect.getmodule(guard)
    source = inspect.getsource(module if guard in (guards.BlastRadius, guards.OwnPods) else guard)
    return set(refusals(source))


with description("The guards") as self:
    with it("are asked in the order in which they are declared"):
        for playbook in (delete.playbook, isolate.playbook, taint.playbook):
            expect(built(playbook, some_collaborators())).to(equal(list(guards.ORDER)))

    with it("are the first ones for a playbook that does not act on the cluster"):
        collaborators = Collaborators(FixedClock(), FakeOwnPod())
        url = "https://slack.example/x"
        found = built(slack.playbook, collaborators, SLACK_WEBHOOK_URL=url)

        expect(found).to(equal([guard for guard in guards.ORDER if not guard.ACTING]))
        expect(found).to(equal(list(guards.ORDER[: len(found)])))
        expect(len(found)).to(equal(7))

    with it("say how they are turned off, or why not"):
        expect([guard for guard in guards.ORDER if not guard.OFF.strip()]).to(be_empty)

    with it("say in their first paragraph what may pass"):
        for guard in guards.ORDER:
            expect((guard.__doc__ or "").strip().split("\n\n")[0].endswith(".")).to(be_true)

    with it("refuse with the reasons that they declare, and no others"):
        for guard in guards.ORDER:
            if guard is not guards.OwnPods:
                expect((guard, used_by(guard))).to(equal((guard, set(guard.REASONS))))
        expect(used_by(guards.OwnPods)).to(
            equal(
                {r for g in (guards.OwnAccount, guards.OwnPods, guards.OwnNode) for r in g.REASONS}
            )
        )

    with it("share no reason but that of the last node, which two of them look after"):
        declared = [reason for guard in guards.ORDER for reason in guard.REASONS]

        expect(sorted(declared)).to(equal(sorted([*set(declared), "last-node"])))

    with it("declare each setting once"):
        declared = [setting.name for guard in guards.ORDER for setting in guard.SETTINGS]

        expect(declared).to(have_len(len(set(declared))))
