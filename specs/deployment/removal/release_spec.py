import json

from expects import be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.core.cluster.manifest import REMOVING
from playbooks.core.cluster.objects import Executed
from playbooks.core.errors import NotPermitted
from playbooks.core.notifications import kinds
from playbooks.core.outcome import TargetRef
from playbooks.deployment.removal.client import FunctionLedger
from playbooks.deployment.removal.release import put_on_record
from specs.commands.fake_cluster import FakeCluster, a_cluster
from specs.deployment.mothers import a_request
from specs.deployment.mothers import objects as kubeless_objects

NODE = TargetRef("undo", "Node", "node-1", "", "uid-2")

with description("An undoing") as self:
    with before.each:
        self.cluster = a_cluster()

    def put(self, cluster=None):
        known = FunctionLedger(("default", "falco-delete-ledger"), "falco-delete", "delete")
        undone = kinds.undone(NODE, "removed the taint", "ann")
        return put_on_record(cluster or self.cluster, known, undone)

    with it("is an Event on the object, and a message in the stream"):
        expect(self.put()).to(be_empty)
        made = next(m for (kind, _, _), m in self.cluster.objects.items() if kind == "Event")
        noted = json.loads(self.cluster.executed[0][-1])

        expect([made["reason"], made["regarding"]["name"]]).to(equal(["Undone", "node-1"]))
        expect([noted["reason"], noted["details"]["by"]]).to(equal(["undone", "ann"]))

    with it("waits a minute at most for a worker, which may be a stranger's program"):
        waited = []
        self.cluster.execute = lambda *_, seconds: waited.append(seconds) or Executed(0, "", "")
        self.put()

        expect(waited).to(equal([60]))

    with it("says what could not be put on record, and goes on"):
        self.cluster.failures["create", "Event"] = NotPermitted("may not")
        self.cluster.says = Executed(1, "", "no such file")

        expect(" ".join(self.put())).to(contain("no Event about it: may not", "not in the stream"))

    with it("says that no worker is left to put it in the stream while its function is removed"):
        self.cluster.the("Function", "falco-delete")["metadata"]["annotations"] = {REMOVING: "true"}
        self.cluster.delete(self.cluster.the("Deployment", "falco-delete"))

        expect(self.put()).to(
            equal(
                ["it is not in the stream: the workers of default/falco-delete are removed already"]
            )
        )

    with it("is an Event alone where there is no worker"):
        cluster = FakeCluster(*kubeless_objects(a_request("delete")).in_order)

        expect(self.put(cluster)).to(be_empty)
        expect(cluster.executed).to(be_empty)
