"""The caps on a real cluster: several workers, a process per alert, and kill -9 in between.

Pods are gated: no kubelet has a part in it.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from expects import be_above, be_below, equal, expect, have_key, have_len
from mamba import after, before, description, it

from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger
from playbooks.infrastructure.ledger import change, read
from specs.support.cluster.real_cluster import (
    a_namespace,
    a_pod_manifest,
    alert_about,
    create,
    delete_namespace,
    kubectl_json,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import ROOT

PODS = 60
WORKERS = 4
SECONDS = 120


def now():
    return Instant(time.time_ns() // NANOSECONDS * NANOSECONDS)


with description("Caps on a cluster") as self:
    with before.each:
        self.namespace = a_namespace()
        self.ledger = ConfigMapLedger(KubernetesApi(), namespace=self.namespace, name="budget")

    with after.each:
        delete_namespace(self.namespace)

    def alerts(self, number):
        made = create(
            *(a_pod_manifest(f"web-{n}", self.namespace, gated=True) for n in range(number))
        )
        return [json.dumps(alert_about(pod)) for pod in made]

    def run(self, lines, *words, **settings):
        """The outcomes that a process of its own has for the alerts."""
        done = subprocess.run(
            [sys.executable, "-m", "specs.support.cluster.answering", "delete", *words],
            input="\n".join(lines),
            env={**os.environ, "LEDGER": f"{self.namespace}/budget", **settings},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def at_once(self, shares, processes, *words, **settings):
        with ThreadPoolExecutor(processes) as pool:
            found = list(pool.map(lambda share: self.run(share, *words, **settings), shares))
        return [outcome for outcomes in found for outcome in outcomes]

    def left(self):
        return len(kubectl_json("get", "pods", "-n", self.namespace)["items"])

    def expect_ten_of(self, number, outcomes):
        acted = [o for o in outcomes if o["status"] == "acted"]
        tripping = [o for o in outcomes if o["details"].get("first")]

        expect(outcomes).to(have_len(number))
        expect(acted).to(have_len(10))
        expect(self.left()).to(equal(number - 10))
        expect({o["reason"] for o in outcomes if o not in acted}).to(equal({"budget-used-up"}))
        expect(tripping).to(have_len(1))
        expect(tripping[0]["held"]).to(equal(True))

    with it("hold across four workers that have sixty alerts at once, to the very number"):
        lines = self.alerts(PODS)
        shares = [lines[number::WORKERS] for number in range(WORKERS)]

        self.expect_ten_of(PODS, self.at_once(shares, WORKERS, "8"))

    with it("hold across a process per alert"):
        number = PODS // 2

        self.expect_ten_of(number, self.at_once([[line] for line in self.alerts(number)], 8))

    with it("hold over kill -9 between slot and action, and between action and record"):
        lines = self.alerts(12)
        dead = [self.run([line], "1", death) for line, death in zip(lines, ("slot", "action"))]
        expect(dead).to(equal([[], []]))
        expect(self.left()).to(equal(11))

        # All of them come again, the dead ones' too.
        outcomes = self.run(lines, MAX_ACTIONS="4")

        accepted, refused = ["deletion-accepted"], ["budget-used-up"]
        expect([o["reason"] for o in outcomes]).to(
            equal([*accepted, "pod-gone", *accepted * 2, *refused * 8])
        )
        expect(self.left()).to(equal(8))
        expect(read(self.ledger.read()[0]).tripped).to(have_key(self.namespace))

    with it("begin anew once a person resets them, for alerts from then on"):
        lines = self.alerts(3)
        self.run(lines[:2], MAX_ACTIONS="1")
        change(self.ledger, lambda book: book.reset(self.namespace, "ada", now()))
        outcomes = self.run(lines[1:], MAX_ACTIONS="1")

        # They are of a minute ago.
        expect([o["reason"] for o in outcomes]).to(equal(["before-reset"] * 2))
        expect(self.left()).to(equal(2))

    with it("leave a pause to be obeyed within five seconds under load"):
        (line,) = self.alerts(1)
        process = subprocess.Popen(
            [sys.executable, "-m", "specs.support.cluster.answering", "delete", "4"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LEDGER": f"{self.namespace}/budget", "DRY_RUN": "true"},
            cwd=ROOT,
        )
        process.stdin.write(f"{line}\n" * 4000)
        process.stdin.close()
        seen = []
        for text in process.stdout:
            seen.append((time.monotonic(), json.loads(text)["reason"]))
            if len(seen) == 100:
                change(self.ledger, lambda book: book.pause("ada", now()))
                paused = time.monotonic()
            if len(seen) > 100 and seen[-1][0] > paused + 6:
                break
        process.kill()
        process.wait()
        process.stdout.close()
        would = [at for at, reason in seen if reason == "delete"]

        expect(seen[-1][1]).to(equal("paused"))
        expect(would[-1] - paused).to(be_below(5.0))
        expect(len(would)).to(be_above(99))


not_run_unless(CLUSTER, globals())
