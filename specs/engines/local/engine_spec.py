import io
from contextlib import redirect_stderr
from pathlib import Path

from expects import contain, equal, expect
from mamba import description, it

from playbooks.engines.local import main

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "specs" / "support" / "alerts" / "falco_alerts.jsonl"


def refusal(playbook="delete", topics=("falco.>",), environ=None, **where):
    """The exit code, and what standard error says."""
    said = io.StringIO()
    with redirect_stderr(said):
        code = main(playbook, topics, environ or {}, output=io.StringIO(), **where)
    return code, said.getvalue()


with description("The local engine does not start") as self:
    with it("without a source of alerts, and names the choices"):
        code, said = refusal()

        expect(code).to(equal(2))
        expect(said).to(contain("where do alerts come from?", "NATS_URL", "FILE", "--http PORT"))

    with it("with two of them"):
        code, said = refusal(environ={"NATS_URL": "nats://127.0.0.1"}, source=str(RECORDED))

        expect(code).to(equal(2))
        expect(said).to(contain("from one source only"))

    with it("for a file that is not there"):
        expect(refusal(source="/none")[1]).to(contain("/none cannot be read"))

    with it("for a topic that NATS refuses"):
        expect(refusal(topics=["falco..x"], source=str(RECORDED))[1]).to(contain("empty token"))

    with it("without a topic"):
        expect(refusal(topics=[], source=str(RECORDED))[1]).to(contain("no topic"))

    with it("for a playbook that there is not"):
        expect(refusal("none", source=str(RECORDED))[1]).to(contain("'none' cannot be loaded"))

    with it("with a setting that is wrong"):
        code, said = refusal(environ={"GRACE_PERIOD_SECONDS": "x"}, source=str(RECORDED))

        expect(code).to(equal(2))
        expect(said).to(contain("GRACE_PERIOD_SECONDS is 'x'"))

    with it("with a timeout that is none"):
        expect(refusal(environ={"FUNC_TIMEOUT": "soon"}, source=str(RECORDED))[1]).to(
            contain("FUNC_TIMEOUT is 'soon'")
        )
