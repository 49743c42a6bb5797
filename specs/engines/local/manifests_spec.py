import tempfile
from pathlib import Path

from expects import be_false, contain, equal, expect
from mamba import after, before, description, it

from playbooks.engines.local.failure import CannotStart
from playbooks.engines.local.standin.kinds import BY_NAME
from playbooks.engines.local.standin.manifests import load
from playbooks.engines.local.standin.objects import Objects

RECORDED = Path(__file__).parents[2] / "support" / "alerts" / "stand-in.yaml"
POD = BY_NAME["Pod"]


def why(path):
    try:
        load(path, Objects())
    except CannotStart as error:
        return str(error)
    raise AssertionError("it was loaded")


with description("A file of objects for the stand-in") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "stand-in.yaml"
        self.objects = Objects()

    with after.each:
        self.directory.cleanup()

    with it("adds its objects, times as they are written"):
        load(RECORDED, self.objects)
        (pod,) = self.objects.all(POD)

        expect(pod["metadata"]["deletionTimestamp"]).to(equal("2021-04-10T19:27:00Z"))
        expect(pod["spec"]["nodeName"]).to(equal("node-1"))

    with it("leaves out what it says is gone, whatever alerts say"):
        load(RECORDED, self.objects)
        name = "poolmgr-go-default-516098-5bdbf8c8f5-g8gvc"
        manifest = {"kind": "Pod", "metadata": {"name": name, "namespace": "fission-function"}}

        expect(self.objects.put(manifest)).to(be_false)

    with it("is refused where it is no YAML, with its name"):
        self.path.write_text("a: [")

        expect(why(self.path)).to(contain(str(self.path)))

    with it("is refused where a kind is not known"):
        self.path.write_text("kind: Deployment\nmetadata: {name: web}")

        expect(why(self.path)).to(contain("expected objects of kind Pod"))

    with it("is refused where an object has no name"):
        self.path.write_text("kind: Pod")

        expect(why(self.path)).to(contain("a Pod has no metadata.name"))

    with it("is refused where it is not there"):
        expect(why(self.path)).to(contain("No such file"))
