from expects import contain, equal, expect
from mamba import description, it

from playbooks.deployment.manifests import record
from playbooks.deployment.manifests.function import function
from playbooks.deployment.request.assignments import Value
from specs.deployment.mothers import a_request


def deployed(*typed):
    return function(a_request("delete", *typed), "ops")


with description("The Function that is deployed") as self:
    with it("says which playbook it is of, whatever its name"):
        expect(record.playbook_of(deployed("-N", "quick"))).to(equal("delete"))
        expect(record.playbook_of({})).to(equal(""))

    with it("says the texts of settings as they arrive"):
        found = deployed("-e", "TZ=a$b")

        expect(record.environment_of(found)["TZ"]).to(equal("a$b"))
        expect(record.given(found, ())).to(contain(Value("TZ", "a$b")))

    with it("says nothing of the containers that somebody added"):
        found = deployed()
        pod = found["spec"]["deployment"]["spec"]["template"]["spec"]
        pod["containers"].append({"name": "other", "env": [{"name": "LEDGER", "value": "theirs"}]})

        expect(record.environment_of(found)["LEDGER"]).to(equal("falco-delete-ledger"))

    with it("says nothing where somebody wrote something else than kubeless does"):
        odd = ("text", {"containers": "text"}, {"containers": ["text", {}]})
        odd += tuple({"containers": [{"env": each}]} for each in ("text", ["text"], [{}]))
        pods = [{"spec": {"template": {"spec": each}}} for each in odd]
        for deployment in ("text", {"spec": "text"}, *pods):
            found = {**deployed(), "spec": {"handler": "delete.handler", "deployment": deployment}}

            expect(record.environment_of(found)).to(equal({}))
            expect(record.given(found, ())).to(equal([]))
        expect(record.playbook_of({"spec": "text"})).to(equal(""))

    with it("says where its ledger is: beside it, or where it was given"):
        expect(record.ledger_of(deployed())).to(equal(("ops", "falco-delete-ledger")))
        expect(record.ledger_of(deployed("-e", "LEDGER=shared"))).to(equal(("ops", "shared")))
        expect(record.ledger_of(deployed("-e", "LEDGER=security/shared"))).to(
            equal(("security", "shared"))
        )
