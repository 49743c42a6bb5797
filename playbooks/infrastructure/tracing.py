"""Spans by OpenTelemetry, whose packages only the extra ``otel`` installs: imported where traces
are asked for, and not before.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Mapping, Optional, Sequence

from playbooks.core import VERSION
from playbooks.core.errors import InvalidSetting
from playbooks.core.notifications.plain_text import plain
from playbooks.core.tracing.spans import NoSpans, Span, Spans
from playbooks.core.tracing.traceparent import TraceParent

SCOPE = "falco-playbooks"

# Characters of an attribute.
LONGEST = 200

MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the packages of OpenTelemetry are not installed:"
    " expected the extra otel; there are no traces"
)


class OpenTelemetrySpans(Spans):
    """``provider``: of the SDK."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(SCOPE, VERSION)

    @contextmanager
    def span(self, name: str, parent: Optional[TraceParent] = None) -> Iterator[Span]:
        from opentelemetry.trace import StatusCode

        # An error of ours is in the outcome, which notes it: its traceback may hold secrets.
        with self._tracer.start_as_current_span(
            name,
            context=_context(parent),
            record_exception=False,
            set_status_on_exception=False,
        ) as made:
            try:
                yield _OpenTelemetrySpan(made)
            except BaseException as error:
                made.set_status(StatusCode.ERROR, type(error).__name__)
                raise

    def end(self, seconds: float) -> None:
        self._provider.force_flush(int(seconds * 1000))


class _OpenTelemetrySpan(Span):
    def __init__(self, made: Any) -> None:
        self._made = made
        self.trace_id = f"{made.get_span_context().trace_id:032x}"

    def note(self, *, failed: str = "", **attributes: str) -> None:
        from opentelemetry.trace import StatusCode

        for name, value in attributes.items():
            if value:
                self._made.set_attribute(name.replace("_", "."), plain(value)[:LONGEST])
        if failed:
            self._made.set_status(StatusCode.ERROR, plain(failed)[:LONGEST])


def _context(parent: Optional[TraceParent]) -> Any:
    """None for the current one."""
    from opentelemetry import trace

    if parent is None or trace.get_current_span().get_span_context().is_valid:
        return None
    remote = trace.SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(remote))


def spans(
    settings: Mapping[str, Any], *, resource: Mapping[str, str], processors: Sequence[Any] = ()
) -> Spans:
    """``settings``: OTEL_EXPORTER_OTLP_ENDPOINT, empty for no spans, and the others of the worker.
    ``resource``: what the spans come from. ``processors``: of spans, instead of one that sends
    them there. Raises InvalidSetting where the packages are missing.
    """
    endpoint = settings["OTEL_EXPORTER_OTLP_ENDPOINT"]
    if not endpoint:
        return NoSpans()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise InvalidSetting(MISSING) from error
    # The sampler, the attributes of the resource and the bounds of the SDK come from the
    # environment, which it reads itself.
    provider = TracerProvider(resource=Resource.create(dict(resource)))
    if not processors:
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces",
            headers=settings["OTEL_EXPORTER_OTLP_HEADERS"],
        )
        processors = (BatchSpanProcessor(exporter),)
    for processor in processors:
        provider.add_span_processor(processor)
    return OpenTelemetrySpans(provider)
