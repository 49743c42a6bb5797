"""Takes spans by OTLP over HTTP on the loopback, as a collector does."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List


class OtlpReceiver:
    """Listens while it is entered. ``spans``: names, ids, attributes and the resource of each;
    ``requests``: path and headers of each request. ``status``: what it answers."""

    def __init__(self, status: int = 200) -> None:
        self.spans: List[Dict[str, Any]] = []
        self.requests: List[Dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                receiver.requests.append({"path": self.path, "headers": dict(self.headers)})
                if status == 200:
                    receiver.take(body, self.headers.get("Content-Encoding", ""))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> OtlpReceiver:
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes, encoding: str) -> None:
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
