"""The kinds of policy of network plugins, on the real cluster for as long as a spec wants them.

Their definitions are those plugins' own, and not in this repository: SPEC_POLICY_CRDS names a
folder that has them as YAML files, of github.com/cilium/cilium
(pkg/k8s/apis/cilium.io/client/crds/v2), github.com/projectcalico/calico (libcalico-go/config/crd,
and projectcalico.org_networkpolicies.yaml of api/config/crd) and
github.com/kubernetes-sigs/network-policy-api (config/crd/standard; that of AdminNetworkPolicy in
v0.1.5). No plugin is there: the API server stores, and nothing enforces.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from specs.support.cluster import real_cluster as cluster
from specs.support.conditions import CLUSTER, Condition
from specs.support.processes import eventually

_DIRECTORY = os.environ.get("SPEC_POLICY_CRDS", "")

POLICY_DEFINITIONS = Condition(
    CLUSTER.holds and bool(_DIRECTORY) and Path(_DIRECTORY).is_dir(),
    "wants the definitions of Cilium's, Calico's and administrators' policies in the folder"
    " SPEC_POLICY_CRDS, and a cluster (specs/support/cluster/policy_definitions.py)",
)


class PolicyDefinitions:
    """Served while it is entered. Others may use the cluster meanwhile: not for long."""

    def __init__(self, *resources: str) -> None:
        self._names: list[str] = []
        self._resources = resources

    def __enter__(self) -> PolicyDefinitions:
        for path in sorted(Path(_DIRECTORY).rglob("*.yaml")):
            if not path.name.startswith(self._resources):
                continue
            made = cluster.kubectl("create", "-f", str(path), "-o", "name").split()
            name = made[0].partition("/")[2]
            cluster.cleaned_up(name, "crd")
            self._names.append(name)
        assert len(self._names) == len(self._resources), f"no definitions in {_DIRECTORY}"
        waiting = [f"crd/{name}" for name in self._names]
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *waiting)
        for name in self._names:
            eventually(lambda name=name: cluster.kubectl("get", name, "-A") is not None)
        return self

    def __exit__(self, *_: Any) -> None:
        for name in self._names:
            cluster.delete("crd", name)
        until = time.monotonic() + 20
        while any(cluster.stored("crd", name) for name in self._names):
            assert time.monotonic() < until, "the definitions are still there"
            time.sleep(0.2)
