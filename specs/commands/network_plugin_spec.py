from expects import be_none, contain, equal, expect
from mamba import description, it

from playbooks.commands.checks.network_plugin import delays, label_counts, of_cilium
from playbooks.core.errors import NotPermitted


class FakeApi:
    """Serves these groups; ``config`` is the data of cilium-config, None where there is none."""

    def __init__(self, *groups, config=None):
        self.groups, self.config = groups, config

    def raw(self, path):
        versions = [{"groupVersion": "any/v1"}]
        return {"groups": [{"name": name, "versions": versions} for name in self.groups]}

    def find(self, *_):
        if isinstance(self.config, Exception):
            raise self.config
        return None if self.config is None else {"data": self.config}


with description("What delays an isolation") as self:
    with it("is nothing that is known, where Cilium does not run"):
        expect(delays(FakeApi("apps"))).to(equal(""))
        expect(delays(FakeApi("cilium.io"))).to(equal(""))

    with it("is what Cilium's settings say, and their defaults"):
        said = delays(FakeApi("cilium.io", config={"identity-max-jitter": "2s"}))

        expect(said).to(
            equal(
                "Cilium delays it: identity-max-jitter is 2s and identity-change-grace-period is 5s"
                " by default"
            )
        )

    with it("cannot be told where they may not be read"):
        expect(delays(FakeApi("cilium.io", config=NotPermitted("may not")))).to(
            contain("cannot be read")
        )

    with it("is for ever where the list of identity labels leaves our label out"):
        said = of_cilium({"labels": "k8s:app k8s:io.kubernetes.pod.namespace"})

        expect(said).to(contain("leaves falco/isolated out, so that no policy selects it"))
        expect(of_cilium({"labels": "k8s:app k8s:falco/"})).not_to(contain("leaves"))
        expect(of_cilium({"label-prefix-file": "/labels"})).to(contain("cannot be told"))

    with it("reads the patterns of that list"):
        for patterns, counts in (
            ("", True),
            ("app", False),
            ("k8s:falco/isolated", True),
            ("falco", True),
            ("!k8s:falco", False),
            ("app falco !falco/isolated", False),
            ("!io.kubernetes !annotation.*", True),
            ("reserved:.*", False),
            ("reserved:.* k8s:falco.*", True),
        ):
            expect((patterns, label_counts(patterns))).to(equal((patterns, counts)))
        expect(label_counts("k8s:fal(co")).to(be_none)
