"""A contract is a module of checks: what every implementation of a port does. A spec of each
implementation has every check as an example of its own::

    with description("A ledger in memory") as self:
        with before.each:
            self.stores = ...

        locals().update(examples_of(ledger_contract, lambda self: self.stores))

A loop around ``it`` would make one example, because mamba names examples as it reads the file.
"""

from __future__ import annotations

import inspect
from itertools import count
from types import ModuleType
from typing import Any, Callable, Dict, Sequence

Check = Callable[..., None]

_numbers = count(1)


def checks_of(contract: ModuleType) -> Sequence[Check]:
    """Its public functions, in the order in which they stand in it."""
    return [
        check
        for name, check in vars(contract).items()
        if inspect.isfunction(check) and check.__module__ == contract.__name__
        if not name.startswith("_")
    ]


def examples_of(
    contract: ModuleType, arguments: Callable[[Any], Sequence[Any]], *, whose: str = ""
) -> Dict[str, Check]:
    """What the body of a ``description`` takes for its examples: one for each check, which is
    called with the ``arguments`` of the example's own ``self``. The sentence of a check is its
    docstring or else its name. ``whose``: begins each sentence, where one group has several.
    """
    examples = {}
    for check in checks_of(contract):
        example = _example(check, arguments, whose)
        # mamba runs the examples of a group in the order of these names.
        examples[f"{next(_numbers):08d}__{example._example_name}"] = example
    return examples


def _example(check: Check, arguments: Callable[[Any], Sequence[Any]], whose: str) -> Any:
    def example(self: Any) -> None:
        check(*arguments(self))

    sentence = whose + (check.__doc__ or check.__name__.replace("_", " "))
    mamba = {"_example": True, "_tags": [], "_pending": ""}
    vars(example).update(mamba, _example_name=f"it {sentence}")
    return example
