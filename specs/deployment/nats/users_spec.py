import json
import re
from pathlib import Path

from expects import contain, equal, expect
from mamba import description, it

from playbooks.deployment.nats.users import (
    User,
    block,
    configuration,
    of_new_worker,
    of_worker,
)
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.operator.create_streams import STREAMS

DOCS = Path(__file__).resolve().parents[3] / "docs"
UID = "5b0c2f6e-9d3a-4a52-8f0b-2f2d3f6f4c11"


def _listed(text):
    """The subjects, as JSON."""
    return ", ".join(re.findall(r'^ +("[^"]+")$', text, re.MULTILINE))


with description("The users of NATS") as self:
    with it("give a new worker nothing that bears the name of another function"):
        subjects = of_new_worker("falco-delete").publish

        expect(subjects).to(contain("falco-dead.falco-delete", "falco-outcomes.falco-delete"))
        expect([s for s in subjects if s in ("falco-dead.*", "falco-outcomes.*")]).to(equal([]))

    with it("give a worker whose Function is there what falco-playbook nats-user prints"):
        function = Function("ops", "falco-delete", UID)
        given = of_worker(function, ["falco.error.*"])
        printed = block(function, given)
        ours = configuration([User("ops.falco-delete", "$OPS_FALCO_DELETE", given)])

        expect(json.loads(f"[{_listed(ours)}]")).to(equal(json.loads(f"[{_listed(printed)}]")))

    with it("let no worker publish an alert"):
        patterns = of_new_worker().publish

        expect([each for each in patterns if each in (">", "*.>") or each[:6] == "falco."]).to(
            equal([])
        )

    with it("have passwords that NATS reads as text, whatever they look like"):
        expect(configuration([User("a", '12"3')])).to(contain('password: "12\\"3"'))

with description("The documented streams") as self:
    with it("are those that -S --with-nats creates"):
        shown = re.findall(
            r"^nats stream add (\w+) --subjects '(.*?)' .* --max-age (\d+)h --max-bytes (\d+) ",
            (DOCS / "nats.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )

        expect(shown).to(
            equal([(s.name, s.subjects, str(s.hours), str(s.megabytes << 20)) for s in STREAMS])
        )
