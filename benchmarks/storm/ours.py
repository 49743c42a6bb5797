"""The worker as it is in its pod, behind a NATS server with JetStream. Through the tap it goes by
a kubeconfig instead, which can say under which name the API server is known."""

from __future__ import annotations

import json
import time
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from benchmarks.storm.ground import SUBJECT, TOPIC, Ground, until
from benchmarks.storm.nats_publisher import Publisher
from playbooks.testing import a_document
from specs.support.worker.worker_on_cluster import NO_CAPS, OnCluster

# Seconds within which it must be ready.
READY = 30.0


class AsInPod(OnCluster):
    arguments = ("-m", "benchmarks.storm.in_pod")


class Ours:
    """``settings``: of its guards; by default nothing is held to a cap. ``watch``: whether it keeps
    a view of the pods."""

    def __init__(
        self,
        ground: Ground,
        concurrency: int,
        settings: Mapping[str, str] = NO_CAPS,
        *,
        watch: bool = True,
    ) -> None:
        self.name = "worker" if watch else "worker without view"
        self._watch = watch
        self._ground = ground
        self._concurrency = concurrency
        self._guards = settings
        self._publisher = Publisher(ground.nats.port)
        self._worker: Optional[OnCluster] = None
        self.tap = ground.tap
        self._tapped = ground.kubeconfig_at("tapped", self.tap.address)
        self._account = ground.account

    @property
    def pid(self) -> int:
        assert self._worker is not None
        return self._worker.process.pid

    def start(self, *, tapped: bool = False) -> None:
        """Ready, and with the consumer of its topic."""
        host, port = self._ground.api_server
        settings = {
            **self._guards,
            "PLAYBOOK": self._ground.playbook,
            "FUNCTION_NAMESPACE": self._ground.namespace,
            "POD_NAMESPACE": self._ground.namespace,
            "NATS_URL": self._ground.nats.url,
            "NAMESPACES": self._ground.namespace,
            "MAX_API_QPS": "10000",
            "WATCH": "on" if self._watch else "off",
            "CONCURRENCY": str(self._concurrency),
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": str(port),
            "KUBERNETES_LOAD_KUBE_CONFIG": "1" if tapped else "",
            "KUBECONFIG": str(self._tapped),
            "SERVICE_ACCOUNT": str(self._account),
        }
        worker = self._worker = AsInPod(self._ground.directory, **settings)
        self._ground.workers.append(worker)
        said = f"subscribed to {TOPIC}"
        if not until(lambda: said in worker.log and worker.get("/readyz")[0] == 200, READY):
            raise RuntimeError(f"the worker is not ready:\n{worker.log}")

    def watches(self, seconds: float) -> float:
        """Seconds until it has its view."""
        began = time.monotonic()
        if self._watch and not until(lambda: self._metric("playbook_view_live") == 1, seconds):
            raise RuntimeError(f"the worker does not watch the pods:\n{self._log}")
        return time.monotonic() - began

    @property
    def answers(self) -> Dict[str, float]:
        """How many pods were acted upon from the view, and how many were read."""
        return {
            answer: self._metric("playbook_view_answers_total", answer=answer)
            for answer in ("view", "changed", "read")
        }

    @property
    def remembered(self) -> Tuple[float, float]:
        """How many pods are in the view, and their bytes, as the worker says."""
        return (
            self._metric("playbook_view_objects", kind="pods"),
            self._metric("playbook_view_bytes", kind="pods"),
        )

    def _metric(self, name: str, **labels: str) -> float:
        assert self._worker is not None
        named = {**labels, "playbook": "delete"}
        shown = ",".join(f'{key}="{named[key]}"' for key in sorted(named))
        return self._worker.metric(f"{name}{{{shown}}}")

    @property
    def _log(self) -> str:
        return self._worker.log if self._worker else ""

    def send(self, alerts: Sequence[bytes]) -> None:
        self._publisher.publish(SUBJECT, alerts)

    def stop(self) -> None:
        assert self._worker is not None
        self._worker.end()

    def close(self) -> None:
        self._publisher.close()

    def skipped(self, alerts: List[bytes], seconds: float) -> float:
        """A second, from the first that is published to the last that is acknowledged."""
        stored = self._stored() + len(alerts)
        began = time.monotonic()
        self.send(alerts)
        if not until(lambda: self._stored() == stored and not self._owed(), seconds, every=0.1):
            raise RuntimeError(f"alerts are left after {seconds:.0f} s")
        return len(alerts) / (time.monotonic() - began)

    def _stored(self) -> int:
        return int(self._ground.nats.call("STREAM.INFO.FALCO")["state"]["messages"])

    def _owed(self) -> int:
        consumers = self._ground.nats.consumers()
        return sum(c["num_pending"] + c["num_ack_pending"] for c in consumers)


def host_alerts(count: int) -> List[bytes]:
    """About processes of a host: there is no pod to look up."""
    fields = {"container.id": "host"}
    return [
        json.dumps(a_document(output_fields=fields, uuid=str(n))).encode() for n in range(count)
    ]
