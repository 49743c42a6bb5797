import tempfile
from pathlib import Path

from expects import be_empty, be_none, contain, equal, expect
from mamba import after, before, description, it

from playbooks.engines.local.which_cluster import which_cluster

IN_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


with description("Which cluster is acted on") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.kubeconfig = Path(self.directory.name) / "config"
        self.kubeconfig.write_text("current-context: staging")

    with after.each:
        self.directory.cleanup()

    with it("is that of the kubeconfig, with its context"):
        found = which_cluster({"KUBECONFIG": str(self.kubeconfig)})

        expect(found.words).to(contain(str(self.kubeconfig), "context staging"))
        expect(found.environ).to(equal({"KUBERNETES_LOAD_KUBE_CONFIG": "1"}))

    with it("is that of the first of several kubeconfigs that is there"):
        found = which_cluster({"KUBECONFIG": f"/none:{self.kubeconfig}"})

        expect(found.words).to(contain("context staging"))

    with it("is none without a kubeconfig"):
        expect(which_cluster({"KUBECONFIG": "/none"})).to(be_none)

    with it("is none for an empty KUBECONFIG"):
        expect(which_cluster({"KUBECONFIG": ""})).to(be_none)

    with it("is the one around us, in a pod"):
        found = which_cluster({"KUBECONFIG": str(self.kubeconfig), **IN_CLUSTER})

        expect(found.words).to(contain("service account"))
        expect(found.environ).to(be_empty)

    with it("is that of the kubeconfig in a pod too, where it is asked for"):
        environ = {"KUBECONFIG": str(self.kubeconfig), "KUBERNETES_LOAD_KUBE_CONFIG": "1"}

        expect(which_cluster({**environ, **IN_CLUSTER}).words).to(contain("context staging"))
