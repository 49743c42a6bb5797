"""Takes spans by OTLP over HTTP on the loopback, as a collector does."""

from __future__ import annotations

from typing import Any, Dict, List

from specs.support.loopback.server import Answer, Asked, LoopbackServer


class OtlpReceiver(LoopbackServer):
    """``spans``: names, ids, attributes and the resource of each. ``status``: what it answers."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(answer=self._answer)
        self.spans: List[Dict[str, Any]] = []
        self._status = status

    def _answer(self, asked: Asked) -> Answer:
        if self._status == 200:
            self._take(asked.content, asked.headers.get("content-encoding", ""))
        return Answer(self._status, b"")

    def _take(self, body: bytes, encoding: str) -> None:
        import gzip

        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        read = ExportTraceServiceRequest()
        read.ParseFromString(gzip.decompress(body) if encoding == "gzip" else body)
        for of_resource in read.resource_spans:
            resource = _attributes(of_resource.resource)
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    self.spans.append(
                        {
                            "name": span.name,
                            "trace_id": span.trace_id.hex(),
                            "span_id": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "attributes": _attributes(span),
                            "failed": span.status.message if span.status.code == 2 else "",
                            "resource": resource,
                        }
                    )

    def named(self, name: str) -> List[Dict[str, Any]]:
        return [span for span in self.spans if span["name"] == name]


def _attributes(of: Any) -> Dict[str, str]:
    return {each.key: each.value.string_value for each in of.attributes}
