import inspect
import pickle

from expects import be_a, be_empty, contain, equal, expect
from mamba import description, it

from playbooks.core import errors


def concrete():
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [c for c in classes if issubclass(c, errors.PlaybookError) and not c.__subclasses__()]


with description("An error of ours") as self:
    with it("survives pickling with all it says"):
        for kind in concrete():
            error = kind("what went wrong")
            copy = pickle.loads(pickle.dumps(error))

            expect(copy).to(be_a(kind))
            expect(str(copy)).to(equal("what went wrong"))

    with it("keeps how long to wait when pickled"):
        error = pickle.loads(pickle.dumps(errors.Throttled("slow down", retry_after=7.0)))

        expect(error.retry_after).to(equal(7.0))

    with it("is of exactly one of the two families"):
        for kind in concrete():
            families = [errors.RetryableError, errors.PermanentError]

            expect([issubclass(kind, family) for family in families]).to(contain(True, False))

    with it("has a reason code of its own"):
        reasons = [kind.reason for kind in concrete()]

        expect(sorted(set(reasons))).to(equal(sorted(reasons)))

    with it("stands in the tree that the module shows"):
        unseen = [kind.__name__ for kind in concrete() if kind.__name__ not in errors.__doc__]

        expect(unseen).to(be_empty)
