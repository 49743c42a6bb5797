import json
import sys
from importlib.util import find_spec

from expects import be_a, be_empty, contain, equal, expect, have_len, raise_error
from mamba import before, description, it

from playbooks import delete
from playbooks.core.alert import Arrival
from playbooks.core.errors import ClusterUnavailable, InvalidSetting
from playbooks.core.settings import read
from playbooks.core.tracing.spans import NoSpans
from playbooks.core.tracing.traceparent import TraceParent
from playbooks.engines.worker.settings import TRACES
from playbooks.infrastructure import tracing
from playbooks.testing import InMemoryCluster, a_document, a_pod, an_alert, some_collaborators
from specs.support.conditions import Condition, not_run_unless
from specs.support.loopback.otlp_receiver import OtlpReceiver
from specs.support.processes import process

OPENTELEMETRY = Condition(
    find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None,
    "the packages of OpenTelemetry are not installed",
)
TRACE = TraceParent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
STEPS = ["guards of the alert", "proof", "guards of the action", "action"]

UNTRACED = process(
    sys.executable,
    "-c",
    "import sys, playbooks.delete, playbooks.engines.worker.__main__,"
    " playbooks.engines.kubeless; from playbooks.engines.worker import __main__ as w;"
    " from playbooks.engines.worker.settings import worker_settings;"
    " w.spans_of(worker_settings(dict(PLAYBOOK='delete', FUNCTION_NAME='falco-delete',"
    " FUNCTION_NAMESPACE='ops', HTTP='off')));"
    " print([m for m in sys.modules if m.startswith(('opentelemetry', 'google.protobuf'))])",
)


def settings(**environ):
    return read(TRACES, environ)


def traced(spans, pod=None, document=None, trace=TRACE, **environ):
    """The outcome of an alert about a pod that is there."""
    cluster = InMemoryCluster(*([a_pod()] if pod is None else pod))
    playbook = delete.playbook.responder(environ, some_collaborators(cluster), spans=spans)
    return playbook.answer(an_alert() if document is None else document, Arrival(trace=trace))


with description("The spans of an answer") as self:
    with before.each:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.memory = InMemorySpanExporter()
        self.spans = tracing.spans(
            settings(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"),
            resource={"service.name": "falco-delete"},
            processors=[SimpleSpanProcessor(self.memory)],
        )

    def named(self):
        return {span.name: span for span in self.memory.get_finished_spans()}

    with it("are those of the alert, and in it of guards, proof, guards and action, in order"):
        outcome = traced(self.spans)
        alert = self.named()["alert"]
        inner = sorted(
            (s for s in self.memory.get_finished_spans() if s.name != "alert"),
            key=lambda s: s.start_time,
        )

        expect(str(outcome.status)).to(equal("acted"))
        expect([span.name for span in inner]).to(equal(STEPS))
        expect({span.parent.span_id for span in inner}).to(equal({alert.context.span_id}))
        expect(self.named()["action"].attributes["falco.target"]).to(equal("pod shop/web-0"))
        expect(alert.attributes["falco.reason"]).to(equal("deletion-accepted"))

    with it("belong to the trace that the sender names, and so does the outcome"):
        outcome = traced(self.spans)
        alert = self.named()["alert"]

        expect(outcome.trace_id).to(equal(TRACE.trace_id))
        expect(f"{alert.context.trace_id:032x}").to(equal(TRACE.trace_id))
        expect(f"{alert.parent.span_id:016x}").to(equal(TRACE.span_id))

    with it("begin a trace where the sender names none"):
        first, second = traced(self.spans, trace=None), traced(self.spans, trace=None)

        expect(first.trace_id).to(have_len(32))
        expect(first.trace_id == second.trace_id).to(equal(False))

    with it("end where a guard refuses, with its reason"):
        traced(self.spans, RULES="another")

        expect(list(self.named())).to(equal(["guards of the alert", "alert"]))
        expect(self.named()["guards of the alert"].attributes["falco.reason"]).to(
            equal("rule-not-listed")
        )

    with it("say that it failed, and hold no traceback"):
        cluster = InMemoryCluster(a_pod())
        cluster.failures["pod"] = [ClusterUnavailable("away, token=hunter2hunter2")]
        responder = delete.playbook.responder({}, some_collaborators(cluster), spans=self.spans)
        outcome = responder.answer(an_alert(), Arrival(trace=TRACE))
        proof = self.named()["proof"]

        expect(outcome.reason).to(equal("cluster-unavailable"))
        expect(self.named()["alert"].status.description).to(equal("cluster-unavailable"))
        expect(proof.status.description).to(equal("ClusterUnavailable"))
        expect(proof.events).to(be_empty)

    with it("hold nothing of the alert's text, and what they hold is short and on one line"):
        document = a_document(rule="R\u202e" + "x" * 190, output="secret words")
        traced(self.spans, document=document)
        held = json.dumps([dict(span.attributes) for span in self.memory.get_finished_spans()])

        expect(held).not_to(contain("secret words"))
        expect(len(self.named()["alert"].attributes["falco.rule"])).to(equal(197))
        expect(self.named()["alert"].attributes["falco.rule"]).to(contain("R\\u202e"))


with description("The spans that a collector gets by OTLP over HTTP") as self:

    def sent(self, receiver, **environ):
        spans = tracing.spans(
            settings(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **environ),
            resource={"service.name": "falco-delete"},
        )
        outcome = traced(spans)
        spans.end(10)
        return outcome

    with it("are those of the answer, from the function, with the headers that were given"):
        with OtlpReceiver() as receiver:
            self.sent(receiver, OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20hunter2")

        expect(receiver.asked[0].path).to(equal("/v1/traces"))
        expect(receiver.asked[0].headers["authorization"]).to(equal("Bearer hunter2"))
        expect({span["name"] for span in receiver.spans}).to(equal({"alert", *STEPS}))
        expect({span["trace_id"] for span in receiver.spans}).to(equal({TRACE.trace_id}))
        expect(receiver.spans[0]["resource"]["service.name"]).to(equal("falco-delete"))

    with it("change nothing where the collector refuses them"):
        with OtlpReceiver(status=400) as receiver:
            outcome = self.sent(receiver)

        expect(str(outcome.status)).to(equal("acted"))
        expect(len(receiver.asked)).to(equal(1))


with description("Without OTEL_EXPORTER_OTLP_ENDPOINT") as self:
    with it("there are no spans, and the outcome names the sender's trace"):
        spans = tracing.spans(settings(), resource={})

        expect(spans).to(be_a(NoSpans))
        expect(traced(spans).trace_id).to(equal(TRACE.trace_id))
        expect(traced(spans, trace=None).trace_id).to(equal(""))

    with it("nothing of OpenTelemetry is imported, by a worker or by a function"):
        done = UNTRACED.result()

        expect((done.stdout, done.stderr)).to(equal(("[]\n", "")))

    with it("a function installs nothing of it, and a worker only where it is set"):
        from playbooks.engines.worker.settings import packages

        installs = delete.playbook.installs({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"})
        expect([each for each in installs if "opentelemetry" in each]).to(be_empty)
        expect(packages({})).to(be_empty)
        expect(packages({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"})).to(
            equal(("opentelemetry-exporter-otlp-proto-http",))
        )

    with it("says which extra is missing where the packages are"):
        hidden = dict.fromkeys([name for name in sys.modules if name.startswith("opentelemetry")])
        hidden["opentelemetry.exporter.otlp.proto.http.trace_exporter"] = None
        kept = {name: sys.modules.get(name) for name in hidden}
        sys.modules.update(hidden)
        try:
            expect(
                lambda: tracing.spans(
                    settings(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318"), resource={}
                )
            ).to(raise_error(InvalidSetting, contain("expected the extra otel")))
        finally:
            for name, module in kept.items():
                if module is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = module

not_run_unless(OPENTELEMETRY, globals())
