"""The same 40 inputs to every engine: specs/support/engines/inputs.py has the inputs,
engine_contract.py what is expected, and ENGINES of engine_callers.py a row for each engine."""

from expects import equal, expect, have_len
from mamba import description, it

from specs.support.contracts.examples import examples_of
from specs.support.engines import contract as engine_contract
from specs.support.engines.callers import ENGINES
from specs.support.engines.inputs import inputs


def row(engine):
    return examples_of(engine_contract, lambda self: (engine,), whose=f"{engine.NAME}: ")


with description("The shared inputs") as self:
    with it("are 40, each under a name of its own"):
        expect(inputs()).to(have_len(40))
        expect(len({given.name for given in inputs()})).to(equal(40))


with description("Every engine, with the same inputs,") as self:
    for engine in ENGINES:
        locals().update(row(engine))
