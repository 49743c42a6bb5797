from expects import be_false, be_true, equal, expect
from mamba import description, it

from playbooks.core.cluster.selectors import Selector

LABELS = {"app": "web", "tier": "front"}


def an_expression(operator, key="app", *values):
    return Selector.of(
        {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
    )


with description("A label selector") as self:
    with it("selects everything when it is empty or absent"):
        expect(Selector.of({}).selects(LABELS)).to(be_true)
        expect(Selector.of(None).selects({})).to(be_true)

    with it("selects by labels"):
        expect(Selector({"app": "web"}).selects(LABELS)).to(be_true)
        expect(Selector({"app": "web", "tier": "back"}).selects(LABELS)).to(be_false)

    with it("selects by In and NotIn"):
        expect(an_expression("In", "app", "web", "db").selects(LABELS)).to(be_true)
        expect(an_expression("In", "none", "web").selects(LABELS)).to(be_false)
        expect(an_expression("NotIn", "app", "web").selects(LABELS)).to(be_false)
        expect(an_expression("NotIn", "none", "web").selects(LABELS)).to(be_true)

    with it("selects by Exists and DoesNotExist"):
        expect(an_expression("Exists").selects(LABELS)).to(be_true)
        expect(an_expression("DoesNotExist").selects(LABELS)).to(be_false)
        expect(an_expression("DoesNotExist", "none").selects(LABELS)).to(be_true)

    with it("knows the labels without which it would not select"):
        selector = Selector(
            {"app": "web"},
            (
                {"key": "tier", "operator": "Exists"},
                {"key": "gone", "operator": "DoesNotExist"},
            ),
        )

        expect(selector.keys_in(LABELS)).to(equal({"app", "tier"}))
