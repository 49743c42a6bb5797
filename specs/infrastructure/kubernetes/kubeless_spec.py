from expects import equal, expect
from mamba import description, it

from playbooks.core.errors import ClusterUnavailable
from playbooks.infrastructure.kubernetes.kubeless import KubelessObjects


class Probe:
    """Answers with each status in turn, or raises it."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def status(self, *path):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answers(*statuses):
    objects = KubelessObjects("shop", "falco-delete", probe=Probe(*statuses))
    return [not objects.missing() for _ in statuses]


with description("Whether the API server is there") as self:
    with it("is what it says"):
        expect(answers(200, 500, ClusterUnavailable("no answer"), 200)).to(
            equal([True, False, False, True])
        )

    with it("is taken for granted where it may not tell, and answers"):
        expect(answers(403, 403)).to(equal([True, True]))

    with it("is not, while one that told before refuses to: it is starting"):
        expect(answers(200, 403, 401, 200)).to(equal([True, False, False, True]))
