"""The settings of the worker, beside those of its playbook."""

from __future__ import annotations

import os.path
import re
from typing import Dict, Mapping, Tuple
from urllib.parse import unquote

from playbooks.core import guards
from playbooks.core.instant import duration_or_off
from playbooks.core.playbook import Playbook
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import (
    DNS_LABEL,
    DNS_NAME,
    Setting,
    Settings,
    http_url,
    names,
    one_of,
    or_nothing,
    read,
    text,
    whole_number,
)
from playbooks.engines.http import bearer
from playbooks.engines.nats_urls import servers

# Stands for every namespace.
ANY = "any"

# Of the SDK.
SAMPLERS = (
    *("parentbased_always_on", "parentbased_traceidratio", "always_on", "traceidratio"),
    "always_off",
)

_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_PLAYBOOK = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)


def playbook_name(value: str) -> str:
    if not _PLAYBOOK.fullmatch(value):
        raise ValueError("the name of a playbook such as delete")
    return value


def namespace_name(value: str) -> str:
    if not DNS_LABEL.fullmatch(value):
        raise ValueError("the name of a namespace")
    return value


def namespaces(value: str) -> Tuple[str, ...]:
    """Names separated by commas, or ``any``, which gives none."""
    found = names(value)
    if not found or not all(DNS_LABEL.fullmatch(name) for name in found):
        raise ValueError(f"names of namespaces, separated by commas, or {ANY}")
    if ANY in found and len(found) > 1:
        raise ValueError(f"{ANY} alone, or names of namespaces")
    return () if ANY in found else found


def object_name(value: str) -> str:
    if not DNS_NAME.fullmatch(value):
        raise ValueError("the name of a Function")
    return value


def optional_file(value: str) -> str:
    """A file that can be read, or nothing."""
    # Path's raises OSError for what is longer than a name may be.
    if value and not os.path.isfile(value):  # noqa: PTH113
        raise ValueError("a file that exists")
    return value


def otlp_headers(value: str) -> Dict[str, str]:
    """Source: https://www.w3.org/TR/baggage/, which OTLP's headers are written as."""
    pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
    found = {name.strip().lower(): unquote(text.strip()) for name, _, text in pairs}
    named = all(_HEADER.fullmatch(n) and t.isprintable() for n, t in found.items())
    if not named or not all(equals for _, equals, _ in pairs):
        raise ValueError("headers as name=value,name=value")
    return found


def share(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("a number from 0 to 1")
    return number


# What the function is: written by deploy_playbook, not by people.
IDENTITY = (
    Setting("PLAYBOOK", playbook_name, None, "The playbook to run"),
    Setting("FUNCTION_NAME", object_name, None, "The Function that this worker serves"),
    Setting("FUNCTION_NAMESPACE", namespace_name, None, "Its namespace"),
)

# Of the function's own Secret: made by deploy_playbook, and known to the worker's pod alone.
RELEASE_KEY = Setting("RELEASE_KEY", str, "", "The key by which releases are signed", secret=True)

NATS = (
    Setting(
        "NATS_URL",
        servers,
        "nats://nats.nats-io.svc.cluster.local:4222",
        "NATS servers, separated by commas; may hold `user:password@` or `token@`, percent-encoded",
        secret=True,
    ),
    Setting("NATS_USER", str, "", "User name, where NATS_URL has none"),
    Setting("NATS_PASSWORD", str, "", "Password of NATS_USER", secret=True),
    Setting("NATS_TOKEN", str, "", "Token, instead of a user", secret=True),
    Setting("NATS_CREDS", optional_file, "", "Credentials file (JWT and NKey) of a user"),
    Setting("NATS_CA", optional_file, "", "CA certificates (PEM) that sign the server's"),
    Setting("NATS_CERT", optional_file, "", "Client certificate (PEM)"),
    Setting("NATS_KEY", optional_file, "", "Private key (PEM) of NATS_CERT"),
    Setting(
        "STREAM_MAX_AGE_HOURS",
        whole_number(1, 8760),
        "72",
        "Hours that alerts are kept in a stream which the worker creates",
    ),
    Setting(
        "STREAM_MAX_MEGABYTES",
        whole_number(1, 1048576),
        "1024",
        "Size of a stream which the worker creates; the oldest alerts go first",
    ),
    Setting("STREAM_REPLICAS", one_of("1", "3", "5"), "1", "Copies of such a stream"),
)

WATCH = Setting(
    "WATCH",
    one_of("on", "off"),
    "on",
    "Whether the worker watches pods, so that an alert's pod need not be read before it is acted"
    " upon: the API server then sees to it that it has not changed. Where it keeps evidence, and"
    " for nodes, pods are read",
)

VERIFY_AFTER = Setting(
    "VERIFY_AFTER",
    duration_or_off(1, 3600),
    "10s",
    "How long after an action, and after the grace period of a deleted pod, the worker looks once"
    " whether it worked. Or `off`",
)

WORK = (
    Setting("CONCURRENCY", whole_number(1, 256), "12", "Alerts answered at the same time"),
    Setting("MAX_API_QPS", whole_number(1, 10000), "50", "Kubernetes API calls a second, at most"),
    Setting(
        "MAX_DELIVERIES",
        whole_number(1, 100),
        "5",
        "Times an alert is delivered before it goes to the dead letters",
    ),
    Setting(
        "SHUTDOWN_SECONDS",
        whole_number(1, 3600),
        "25",
        "Seconds after SIGTERM to finish what is under way; less than the pod's grace period",
    ),
    WATCH,
    VERIFY_AFTER,
)

# Read only where HTTP is on, and anew for every request: it can be rotated.
HTTP_TOKEN = Setting(
    "HTTP_TOKEN", bearer.checked_token, None, "The bearer token of `POST /`", secret=True
)

HTTP = (
    Setting("HTTP", one_of("on", "off"), "on", "Whether alerts are taken by `POST /`"),
    HTTP_TOKEN,
    Setting("HTTP_PORT", whole_number(0, 65535), "8080", "Port of HTTP; 0 takes a free one"),
    Setting("PROBE_PORT", whole_number(0, 65535), "8081", "Port of the probes of the kubelet"),
    Setting("METRICS_PORT", whole_number(0, 65535), "8082", "Port of the metrics alone"),
    Setting("HTTP_HOST", text, "0.0.0.0", "Address to listen on"),
)

HTTP_FROM = Setting(
    "HTTP_FROM",
    namespaces,
    "falco",
    "Namespaces whose pods may post alerts, by name, separated by commas; `any`: all",
)
METRICS_FROM = Setting(
    "METRICS_FROM",
    namespaces,
    ANY,
    "Namespaces whose pods may read the metrics, by name, separated by commas; `any`: all",
)

# For the NetworkPolicy; the worker itself does not ask where a connection comes from.
SOURCES = (HTTP_FROM, METRICS_FROM)

# The standard's own. Source:
# https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
TRACES = (
    Setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        or_nothing(http_url),
        "",
        "Where spans of alerts, proofs, guards and actions go by OTLP over HTTP, such as"
        " `http://collector.observability:4318`; empty: there are none",
    ),
    Setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        otlp_headers,
        "",
        "Headers for it, as `name=value,name=value` with percent-encoded values",
        secret=True,
    ),
    Setting("OTEL_SERVICE_NAME", str, "", "Its name in traces; empty: the Function's"),
    Setting(
        "OTEL_TRACES_SAMPLER",
        one_of(*SAMPLERS),
        "parentbased_always_on",
        "Which alerts have spans. A sender's flag `sampled` does not count",
    ),
    Setting(
        "OTEL_TRACES_SAMPLER_ARG",
        share,
        "1",
        "The share of `traceidratio`, from 0 to 1",
    ),
)

SETTINGS = (*IDENTITY, RELEASE_KEY, *NATS, *WORK, *HTTP, *SOURCES, *TRACES)

#: The settings that make sense on deploying with ``-e``.
FOR_USERS = NATS + WORK + HTTP[:2] + SOURCES + TRACES


# Characters of a value that the log shows.
LONGEST = 500


def in_force(
    playbook: Playbook, environ: Mapping[str, str], redaction: Redaction
) -> Dict[str, str]:
    """What decides about alerts, as it is written: the settings of the guards, DRY_RUN and those of
    the work, whatever they are, and what else of the playbook is set. Nothing that is secret, or
    that a name tells to be."""
    always = (*guards.decisive(acts=playbook.acts), *WORK)
    more = [each for each in playbook.settings if each.name in environ and not each.secret]
    values = {
        **redaction.named({each.name: environ[each.name] for each in more}),
        **{each.name: environ.get(each.name, each.default or "") for each in always},
    }
    return {name: _shown(redaction.text(value)) for name, value in values.items()}


def _shown(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}..."


def packages(values: Mapping[str, str]) -> Tuple[str, ...]:
    """The distributions that a worker with these settings installs beside those of every one."""
    return ("opentelemetry-exporter-otlp-proto-http",) if values.get(TRACES[0].name) else ()


def worker_settings(environ: Mapping[str, str]) -> Settings:
    """All but the token, which is only checked where HTTP is on. Raises InvalidSetting."""
    found = read([setting for setting in SETTINGS if setting is not HTTP_TOKEN], environ)
    if found["HTTP"] == "on":
        read((HTTP_TOKEN,), environ)
    return found
