"""What docs/conditions.md says of an alert and its pod, for specs of the language it describes."""

import json
import re
from pathlib import Path

from playbooks.testing import a_pod, an_alert

PAGE = Path(__file__).resolve().parents[2].joinpath("docs/conditions.md").read_text("utf-8")

ANSWERS = {"yes": True, "no": False, "cannot be told": None}

FIELDS = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
ALERT = an_alert(
    FIELDS, tags=["container", "T1059"], time="2026-01-02T03:00:00Z", hostname="node-1"
)
POD = a_pod(
    metadata={"labels": {"team": "web"}},
    owner="ReplicaSet/web",
    spec={"containers": [{"name": "web", "image": "registry.example/web:1"}]},
)


def rows(name):
    """The first column in backticks, and the second, of the table of this name."""
    table = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)[1]
    found = re.findall(r"^\| `(.+?)` \| (.+) \|$", table, re.MULTILINE)
    return [(text.replace("\\|", "|"), said) for text, said in found]
