import re
from pathlib import Path

from expects import contain, equal, expect
from mamba import description, it

from playbooks.deployment.nats.users import User, configuration, documented, of_worker
from playbooks.engines.worker.nats.create_streams import STREAMS

DOCS = Path(__file__).resolve().parents[3] / "docs"
UID = "5b0c2f6e-9d3a-4a52-8f0b-2f2d3f6f4c11"

with description("The users of NATS") as self:
    with it("are those of the documented file"):
        text = (DOCS / "nats-users.conf").read_text(encoding="utf-8")

        expect(re.sub("^#.*\n", "", text, flags=re.MULTILINE)).to(
            equal(configuration(documented()))
        )

    with it("give a worker nothing that bears the name of another function"):
        subjects = of_worker("falco-delete").publish

        expect(subjects).to(contain("falco-dead.falco-delete", "falco-outcomes.falco-delete"))
        expect([s for s in subjects if s in ("falco-dead.*", "falco-outcomes.*")]).to(equal([]))

    with it("give a worker the inbox of its Function only, where that is known"):
        subjects = of_worker("falco-delete", UID).publish

        expect(subjects).to(
            contain(
                f"falco-inbox.{UID}",
                f"$JS.API.CONSUMER.MSG.NEXT.FALCO_INBOX.falco-{UID}-inbox",
            )
        )
        expect([each for each in subjects if each.startswith("falco-inbox.*")]).to(equal([]))

    with it("let no worker publish an alert"):
        patterns = [*of_worker().publish, *of_worker("falco-delete", UID).publish]

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
