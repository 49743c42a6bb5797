import io
import os
import tempfile
from contextlib import ExitStack, redirect_stderr
from unittest.mock import patch

from expects import be_false, be_true, contain, equal, expect
from mamba import description, it

from playbooks.core.outcome import Outcome
from playbooks.engines.local import engine, http, nats
from playbooks.engines.local.engine import main
from playbooks.engines.local.settings import nats_settings
from specs.support.processes import ROOT

RECORDED = ROOT / "specs" / "support" / "alerts" / "falco_alerts.jsonl"


def refusal(playbook="delete", topics=("falco.>",), environ=None, **where):
    """The exit code, and what standard error says."""
    said = io.StringIO()
    with redirect_stderr(said):
        code = main(playbook, topics, environ or {}, output=io.StringIO(), **where)
    return code, said.getvalue()


def taken_for_recorded(environ=None, **where):
    """Whether the alerts of a source are answered as recorded ones."""
    settings = {"SLACK_WEBHOOK_URL": "http://127.0.0.1:1/", **(environ or {})}
    with tempfile.TemporaryDirectory() as logs, ExitStack() as patched:
        calls = patched.enter_context(patch.object(engine, "Calls", autospec=True))
        patched.enter_context(patch.dict(os.environ))
        settings["XDG_STATE_HOME"] = logs
        calls.return_value.call.return_value = Outcome.skipped("none", "none")
        main("slack", ("falco.>",), settings, output=io.StringIO(), **where)
    return calls.call_args[1]["recorded"]


with description("The local engine") as self:
    with it("takes the alerts of a file for recorded ones"):
        expect(taken_for_recorded(source=str(RECORDED))).to(be_true)

    with it("takes those of a NATS server for alerts of now"):
        with patch.object(nats, "subscribe"):
            expect(taken_for_recorded({"NATS_URL": "nats://127.0.0.1"})).to(be_false)

    with it("takes those by HTTP for alerts of now"):
        with patch.object(http, "Endpoint"):
            expect(taken_for_recorded(http_port=0)).to(be_false)


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
        expect(refusal("none", source=str(RECORDED))[1]).to(
            contain("there is no playbook 'none': one of ")
        )

    with it("with a setting that is wrong"):
        code, said = refusal(environ={"GRACE_PERIOD_SECONDS": "x"}, source=str(RECORDED))

        expect(code).to(equal(2))
        expect(said).to(contain("GRACE_PERIOD_SECONDS is 'x'"))

    with it("with a timeout that is none"):
        for text in ("soon", "0", "\u00b2"):
            expect(refusal(environ={"FUNC_TIMEOUT": text}, source=str(RECORDED))[1]).to(
                contain(f"FUNC_TIMEOUT is {text!r}")
            )

    with it("with settings of NATS that are wrong"):
        environ = {"NATS_URL": "nats://127.0.0.1", "NATS_CREDS": "/none"}
        code, said = refusal(environ=environ)

        expect(code).to(equal(2))
        expect(said).to(contain("NATS_CREDS is '/none', expected a file that exists"))

    with it("with what stands in a file instead of its name, which it does not show"):
        key = "-----BEGIN USER NKEY SEED-----\nSUAsecret\n------END USER NKEY SEED------"
        for value in (key, "x" * 300 + key):
            code, said = refusal(environ={"NATS_URL": "nats://127.0.0.1", "NATS_CREDS": value})

            expect(code).to(equal(2))
            expect(said).to(contain("NATS_CREDS is (not shown), expected a file that exists"))
            expect(said).not_to(contain("secret"))

    with it("with a URL of NATS that is none, which it does not show"):
        code, said = refusal(environ={"NATS_URL": "nats://user:secret@a@b"})

        expect(code).to(equal(2))
        expect(said).to(contain("NATS_URL is (not shown)"))
        expect(said).not_to(contain("secret"))


with description("The settings of NATS") as self:
    with it("are those of the worker"):
        settings = nats_settings({"NATS_URL": "tls://a:4222,nats://b", "NATS_USER": "me"})

        expect([server.url for server in settings["NATS_URL"]]).to(
            equal(["tls://a:4222", "nats://b:4222"])
        )
        expect(settings["NATS_USER"]).to(equal("me"))

    with it("take a URL without a scheme for nats://"):
        settings = nats_settings({"NATS_URL": "127.0.0.1:4222, b"})

        expect([server.url for server in settings["NATS_URL"]]).to(
            equal(["nats://127.0.0.1:4222", "nats://b:4222"])
        )
