import os
from unittest.mock import patch

from expects import contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import ClusterUnavailable, NoCluster, NotPermitted
from playbooks.engines.local import surroundings as module
from playbooks.engines.local.failure import CannotStart
from playbooks.engines.local.surroundings import RealCluster
from specs.support.fakes import InMemoryCluster


def begun(find, cluster):
    with module.surroundings({}, [], needed=True, find=find, cluster=lambda: cluster) as place:
        return place.words


def begin(cluster):
    """What is said of a run on a real cluster, or why there is none."""
    real = RealCluster("the cluster of a kubeconfig", {})
    with patch.dict(os.environ):
        try:
            return " ".join(begun(lambda environ: real, cluster))
        except CannotStart as error:
            return f"cannot start: {error}".replace("\n", " ")


with description("A run on a real cluster") as self:
    with it("begins where the cluster answers"):
        expect(begin(InMemoryCluster())).to(equal("This acts on the cluster of a kubeconfig"))

    with it("begins where the cluster answers that we may not ask for nodes"):
        cluster = InMemoryCluster()
        cluster.failures["node"] = [NotPermitted("may not")]

        expect(begin(cluster)).to(contain("This acts on"))

    with it("does not begin where nobody answers"):
        cluster = InMemoryCluster()
        cluster.failures["node"] = [ClusterUnavailable("connection refused")]

        expect(begin(cluster)).to(
            equal("cannot start: connection refused this would act on the cluster of a kubeconfig")
        )

    with it("does not begin where the kubeconfig is broken"):

        def find(_environ):
            raise NoCluster("error loading config file")

        expect(lambda: begun(find, InMemoryCluster())).to(
            raise_error(CannotStart, "error loading config file")
        )
