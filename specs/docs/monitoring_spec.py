import re
from pathlib import Path

from expects import equal, expect
from mamba import description, it

from specs.docs.worker_log import line
from specs.docs.worker_metrics import metrics

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in row.strip("|").split("|")]
    for row in PAGE.splitlines()
    if row.startswith("| `")
]


def quoted(cell):
    return re.findall(r"`(\w+)`", cell)


def shown(metric):
    return f"{metric._name}_total" if metric._type == "counter" else metric._name


with description("The page about monitoring") as self:
    with it("has every metric with its labels and its meaning, as the worker exposes them"):
        exposed = [
            [shown(metric), list(metric._labelnames), metric._documentation] for metric in metrics()
        ]
        told = [[quoted(row[0])[0], quoted(row[1]), row[2]] for row in ROWS if len(row) == 3]

        expect(told).to(equal(exposed))

    with it("has every field of a line, as the worker logs them"):
        told = {quoted(row[0])[0]: quoted(row[1]) for row in ROWS if len(row) == 2}
        logged = line()

        expect(list(told)).to(equal(list(logged)))
        expect(set(told["alert"])).to(equal(set(logged["alert"])))
        expect(set(told["claimed"])).to(equal(set(logged["claimed"])))
        expect(set(told["details"])).to(equal(set(logged["details"])))
