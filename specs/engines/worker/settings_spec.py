import json
import tempfile
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from expects import be_above, contain, equal, expect, have_key, have_keys, raise_error
from mamba import description, it
from nats.aio.client import Srv

from playbooks import delete
from playbooks.core.errors import InvalidSetting
from playbooks.core.redaction.redaction import Redaction
from playbooks.deployment.manifests import function, worker_pod
from playbooks.engines.worker.nats import connection
from playbooks.engines.worker.nats.connection import client, lets_anybody_in, options, shown
from playbooks.engines.worker.settings import SETTINGS, in_force, worker_settings

IDENTITY = {"PLAYBOOK": "delete", "FUNCTION_NAME": "falco-delete", "FUNCTION_NAMESPACE": "shop"}
TOKEN = {"HTTP_TOKEN": "0123456789abcdef"}


def settings(**changes):
    return worker_settings({**IDENTITY, **TOKEN, **changes})


def error(**changes):
    try:
        worker_settings({**IDENTITY, **TOKEN, **changes})
    except InvalidSetting as error:
        return str(error)
    return ""


def sent(wanted, host):
    """User, password and token with which a server of that name is greeted."""
    made = client(wanted)
    chosen = options(wanted)
    made.options = {
        **dict.fromkeys(("verbose", "pedantic", "name", "no_echo", "token")),
        **{key: chosen.get(key) for key in ("user", "password")},
    }
    made._auth_configured = bool(chosen.get("user"))
    made._current_server = Srv(urlsplit(f"nats://{host}:4222"))
    said = json.loads(made._connect_command().partition(b" ")[2])
    return said.get("user"), said.get("pass"), said.get("auth_token")


with description("The settings that the log of a worker begins with") as self:
    with it("are those that decide, with their defaults, and what else is set"):
        found = in_force(
            delete.playbook, {"WINDOW": "2m", "GRACE_PERIOD_SECONDS": "7"}, Redaction()
        )

        expect(found).to(
            have_keys(
                {
                    "WINDOW": "2m",
                    "MAX_ACTIONS": "10",
                    "MAX_ALERT_AGE": "10m",
                    "DRY_RUN": "false",
                    "MAX_DELIVERIES": "5",
                    "VERIFY_AFTER": "10s",
                    "GRACE_PERIOD_SECONDS": "7",
                }
            )
        )
        expect(found).not_to(have_key("EVIDENCE_URL"))
        expect(found).not_to(have_key("NATS_USER"))

    with it("are no secret, neither a declared one nor one in what is none"):
        declared = {each.name: "hunter2hunter2" for each in delete.playbook.settings if each.secret}
        more = {"EVIDENCE_URL": "s3://me:hunter2hunter2@store/x", "NATS_PASSWORD": "hunter2hunter2"}
        found = in_force(delete.playbook, {**declared, **more}, Redaction())

        expect(len(declared)).to(be_above(3))
        expect(json.dumps(found)).not_to(contain("hunter2"))
        expect(found["EVIDENCE_URL"]).to(equal("s3://me:***@store/x"))

    with it("are not longer than anybody reads"):
        found = in_force(delete.playbook, {"RULES": "x" * 10_000}, Redaction())

        expect(found["RULES"]).to(equal("x" * 500 + "..."))
        expect(found["PROTECTED_NAMESPACES"]).not_to(contain("..."))


with description("A connection to NATS") as self:
    with it("ends the warning that its user is refused, where there was one, once"):
        made = client(settings(NATS_URL="nats://nats:4222"))
        before = made.let_in()
        warned = made.refused()

        expect((before, warned)).to(equal(({}, {"reason": "nats-unauthorized"})))
        expect([made.let_in(), made.let_in()]).to(equal([{"over": "nats-unauthorized"}, {}]))


with description("The settings of the worker") as self:
    with it("have the ports that its pod and its Service name"):
        defaults = {setting.name: setting.default for setting in SETTINGS}

        expect(defaults["HTTP_PORT"]).to(equal(str(function.PORT)))
        expect(defaults["PROBE_PORT"]).to(equal(str(worker_pod.PROBE_PORT)))
        expect(defaults["METRICS_PORT"]).to(equal(str(worker_pod.METRICS_PORT)))

    with it("are pinned, with their defaults"):
        expect({setting.name: setting.default for setting in SETTINGS}).to(
            equal(
                {
                    "PLAYBOOK": None,
                    "FUNCTION_NAME": None,
                    "FUNCTION_NAMESPACE": None,
                    "RELEASE_KEY": "",
                    "NATS_URL": "nats://nats.nats-io.svc.cluster.local:4222",
                    "NATS_USER": "",
                    "NATS_PASSWORD": "",
                    "NATS_TOKEN": "",
                    "NATS_CREDS": "",
                    "NATS_CA": "",
                    "NATS_CERT": "",
                    "NATS_KEY": "",
                    "STREAM_MAX_AGE_HOURS": "72",
                    "STREAM_MAX_MEGABYTES": "1024",
                    "STREAM_REPLICAS": "1",
                    "CONCURRENCY": "12",
                    "MAX_API_QPS": "50",
                    "MAX_DELIVERIES": "5",
                    "SHUTDOWN_SECONDS": "25",
                    "WATCH": "on",
                    "VERIFY_AFTER": "10s",
                    "HTTP": "on",
                    "HTTP_TOKEN": None,
                    "HTTP_PORT": "8080",
                    "PROBE_PORT": "8081",
                    "METRICS_PORT": "8082",
                    "HTTP_FROM": "falco",
                    "METRICS_FROM": "any",
                    "HTTP_HOST": "0.0.0.0",
                    "OTEL_EXPORTER_OTLP_ENDPOINT": "",
                    "OTEL_EXPORTER_OTLP_HEADERS": "",
                    "OTEL_SERVICE_NAME": "",
                    "OTEL_TRACES_SAMPLER": "parentbased_always_on",
                    "OTEL_TRACES_SAMPLER_ARG": "1",
                }
            )
        )

    with it("keep to themselves what is secret"):
        expect({setting.name for setting in SETTINGS if setting.secret}).to(
            equal(
                {
                    *("NATS_URL", "NATS_PASSWORD", "NATS_TOKEN", "HTTP_TOKEN"),
                    *("OTEL_EXPORTER_OTLP_HEADERS", "RELEASE_KEY"),
                }
            )
        )

    with it("take headers and a sampler of OpenTelemetry as its standard has them"):
        (headers,) = [s for s in SETTINGS if s.name == "OTEL_EXPORTER_OTLP_HEADERS"]

        expect(headers.check("Authorization=Bearer%20x%3Dy, a=b")).to(
            equal({"authorization": "Bearer x=y", "a": "b"})
        )
        for text in ("nonsense", "a b=c", "a=%0Aevil: yes"):
            expect(lambda text=text: headers.check(text)).to(raise_error(InvalidSetting))
        expect(error(OTEL_TRACES_SAMPLER="sometimes")).to(contain("parentbased_traceidratio"))
        expect(error(OTEL_TRACES_SAMPLER_ARG="2")).to(contain("a number from 0 to 1"))
        expect(error(OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318")).to(contain("https:// or"))

    with it("refuse an empty token, and one that can be guessed"):
        expect(error(HTTP_TOKEN="")).to(contain("HTTP_TOKEN"))
        expect(error(HTTP_TOKEN="short")).to(contain("at least 16"))
        expect(error(HTTP_TOKEN="short")).not_to(contain("short,"))

    with it("want no token where HTTP is off"):
        expect(worker_settings({**IDENTITY, "HTTP": "off"})["HTTP"]).to(equal("off"))

    with it("name what is wrong"):
        expect(error(CONCURRENCY="0")).to(contain("CONCURRENCY is '0', expected"))
        expect(error(NATS_URL="localhost")).to(contain("URLs such as nats://"))
        expect(error(NATS_CA="/nowhere")).to(contain("a file that exists"))

with description("The connection to NATS") as self:
    with it("takes several servers, with credentials in them, which it hands over apart"):
        chosen = options(settings(NATS_URL="nats://a:b@one:4222, nats://two"))

        expect(chosen["servers"]).to(equal(["nats://one:4222", "nats://two:4222"]))

    with it("sends each server the credentials of its own URL"):
        url = "nats://a:b%40c@one:4222, nats://t@two, nats://three"
        said = [sent(settings(NATS_URL=url), server) for server in ("one", "two", "three")]

        expect(said).to(equal([("a", "b@c", None), (None, None, "t"), (None, None, None)]))

    with it("sends a server that the cluster names later the credentials that all URLs have"):
        url = "nats://a:b@one:4222, nats://a:b@two"

        expect(sent(settings(NATS_URL=url), "three")).to(equal(("a", "b", None)))

    with it("sends those of settings of their own to every server"):
        wanted = settings(NATS_URL="nats://a:b@one", NATS_USER="u\n", NATS_PASSWORD="p\r\n")

        expect(sent(wanted, "one")).to(equal(("u", "p", None)))

    with it("refuses WebSockets without the package that they need"):
        wanted = settings(NATS_URL="ws://user:S3cret@one:8080")
        with patch.object(connection, "find_spec", return_value=None):
            try:
                options(wanted)
                said = ""
            except InvalidSetting as error:
                said = str(error)

        expect(said).to(contain("needs the package aiohttp"))
        expect(said).not_to(contain("S3cret"))

    with it("never shows the credentials"):
        expect(shown(settings(NATS_URL="nats://a:b@one:4222,nats://token@two"))).to(
            equal("nats://one:4222, nats://two:4222")
        )

    with it("takes a user, a token or a credentials file beside the URL"):
        with tempfile.NamedTemporaryFile() as file:
            chosen = options(settings(NATS_USER="u", NATS_PASSWORD="p", NATS_CREDS=file.name))

            expect(chosen["user"]).to(equal("u"))
            expect(chosen["password"]).to(equal("p"))
            expect(chosen["user_credentials"]).to(equal(file.name))
        expect(options(settings(NATS_TOKEN="t"))["token"]).to(equal("t"))

    with it("connects again for ever"):
        expect(options(settings())["max_reconnect_attempts"]).to(equal(-1))

    with it("refuses half a pair, and what is no certificate"):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "file.pem"
            file.write_text("no certificate")
            for wrong in ({"NATS_CERT": str(file)}, {"NATS_CA": str(file)}):
                expect(lambda wrong=wrong: options(settings(**wrong))).to(
                    raise_error(InvalidSetting)
                )

    with it("knows a server that lets anybody in"):
        expect(lets_anybody_in({})).to(equal(True))
        expect(lets_anybody_in({"auth_required": True})).to(equal(False))
        expect(lets_anybody_in({"tls_required": True, "tls_verify": True})).to(equal(False))
