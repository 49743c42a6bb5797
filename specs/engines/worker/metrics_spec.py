from expects import contain, expect
from mamba import before, description, it

from playbooks.core import VERSION
from playbooks.core.ports import Standing
from playbooks.engines.worker.metrics import Metrics

with description("What a worker exposes") as self:
    with before.each:
        self.metrics = Metrics("delete")

    def page(self):
        return self.metrics.page().decode()

    with it("says that a person has paused it, and not that the API server is away"):
        self.metrics.stands(Standing("paused by alice"))

        expect(self.page()).to(contain('playbook_paused{playbook="delete"} 1.0'))
        expect(self.page()).to(contain('playbook_api_unavailable{playbook="delete"} 0.0'))

    with it("says that the API server is away, and not that somebody paused it"):
        self.metrics.unavailable.set(True)

        expect(self.page()).to(contain('playbook_paused{playbook="delete"} 0.0'))
        expect(self.page()).to(contain('playbook_api_unavailable{playbook="delete"} 1.0'))

    with it("names the namespaces whose budget is used up, until they are reset"):
        self.metrics.stands(Standing(tripped=("shop", "ops")))
        self.metrics.stands(Standing(tripped=("ops",)))

        expect(self.page()).to(
            contain('playbook_budget_tripped{namespace="ops",playbook="delete"} 1.0')
        )
        expect(self.page()).not_to(contain('namespace="shop"'))

    with it("counts held alerts apart from those that were given up"):
        self.metrics.gave_up("paused", 2, held=True)
        self.metrics.gave_up("not-permitted")

        held = 'playbook_dead_letters_total{held="true",playbook="delete",reason="paused"} 2.0'
        dead = (
            'playbook_dead_letters_total{held="false",playbook="delete",reason="not-permitted"} 1.0'
        )
        expect(self.page()).to(contain(held, dead))

    with it("names its Function and the version that runs"):
        self.metrics.info("ops", "falco-delete", VERSION).set(1)

        expect(self.page()).to(
            contain(
                'playbook_info{function="falco-delete",namespace="ops",playbook="delete",'
                f'version="{VERSION}"}} 1.0'
            )
        )
