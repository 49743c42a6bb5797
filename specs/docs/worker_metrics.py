"""What a worker exposes: names of series with their labels, from its real registry."""

from __future__ import annotations

import re
from typing import Dict, List, Set

from prometheus_client.metrics import MetricWrapperBase

from playbooks.engines.worker.metrics import Metrics

# What an expression has beside metrics and labels. Source:
# https://prometheus.io/docs/prometheus/latest/querying/
WORDS = {
    "and",
    "by",
    "count",
    "histogram_quantile",
    "increase",
    "max",
    "offset",
    "on",
    "or",
    "rate",
}
WORDS |= {"sum", "unless", "vector", "label_values", "label_replace", "last_over_time"}

# Labels that Prometheus gives what it scrapes.
TARGET = {"job", "instance", "exported_namespace"}


def metrics() -> List[MetricWrapperBase]:
    registered = Metrics("delete").registry._collector_to_names
    return [m for m in registered if isinstance(m, MetricWrapperBase)]


def series() -> Dict[str, Set[str]]:
    """The labels of each series, by its name."""
    found: Dict[str, Set[str]] = {}
    for metric in metrics():
        labels = set(metric._labelnames)
        name = metric._name
        if metric._type == "counter":
            found[f"{name}_total"] = labels
        elif metric._type == "histogram":
            found[f"{name}_bucket"] = labels | {"le"}
            found[f"{name}_sum"] = found[f"{name}_count"] = labels
        else:
            found[name] = labels
    return found


def unknown(expression: str) -> List[str]:
    """Names in a PromQL expression that are neither series of a worker nor labels of one that
    the expression has."""
    bare = re.sub(r'"[^"]*"|\$\w+|\[[^]]*\]|offset \w+|\b\d+\w*\b', " ", expression)
    names = set(re.findall(r"[a-zA-Z_:][\w:]*", bare)) - WORDS
    known = series()
    used = names & set(known)
    labels = set().union(*(known[name] for name in used)) if used else set()
    made = set(re.findall(r'label_replace\(.*?"(\w+)", "\$1"', expression, re.DOTALL))
    return sorted(names - used - labels - TARGET - made)
