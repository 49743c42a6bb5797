from expects import equal, expect
from mamba import description, it

from playbooks.deployment.apply.refusals import once


def missing(resource):
    return f'POST api/v1/namespaces/x/{resource}: namespaces "x" not found (404)'


def forbidden(resource, group="", where='in the namespace "x"', verb="create"):
    return (
        f'POST apis/x/namespaces/x/{resource}: {resource} is forbidden: User "joe" cannot {verb}'
        f' resource "{resource}" in API group "{group}" {where} (403)'
    )


with description("What the API server refuses") as self:
    with it("is said once where the cause is the same"):
        expect(once([missing("secrets"), missing("services"), missing("pods")])).to(
            equal(['namespaces "x" not found (3 objects)'])
        )

    with it("names all resources that somebody may not write"):
        expect(once([forbidden("secrets"), forbidden("roles", "rbac"), missing("pods")])).to(
            equal(['User "joe" cannot create secrets, roles in the namespace "x"', missing("pods")])
        )

    with it("is told apart by verb and place"):
        lines = [
            forbidden("secrets"),
            forbidden("secrets", verb="update"),
            forbidden("nodes", where="at the cluster scope"),
        ]

        expect(once(lines)).to(equal(lines))

    with it("is said as it is where there is one"):
        expect(once([missing("secrets"), missing("secrets")])).to(equal([missing("secrets")]))
