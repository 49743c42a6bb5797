"""What both programs add to click's parameters: kinds with words of ours, and completion."""

from __future__ import annotations

from typing import Any, Callable, List, Optional

import click
from click.shell_completion import CompletionItem, get_completion_class

from playbooks.core import catalogue

SHELLS = ("bash", "fish", "zsh")


class Kind(click.ParamType):  # type: ignore[type-arg]
    """One whose errors say what it expected. ``convert`` raises ValueError with that."""

    name = "value"

    def __init__(self, convert: Callable[[str], Any]) -> None:
        self._convert = convert

    def convert(
        self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]
    ) -> Any:
        try:
            return self._convert(str(value))
        except ValueError as error:
            return self.fail(f"{value!r}, expected {error}", param, ctx)


def playbooks(ctx: click.Context, param: click.Parameter, incomplete: str) -> List[CompletionItem]:
    """Names, and files; what others installed is not imported for it."""
    own = catalogue.own_names()
    found = [
        CompletionItem(name, help=catalogue.summary(name) if name in own else None)
        for name in catalogue.names()
        if name.startswith(incomplete)
    ]
    return found if found or not incomplete else [CompletionItem(incomplete, type="file")]


def completion_script(program: click.Command, name: str, variable: str, shell: str) -> str:
    """``variable``: of the environment, by which the shell asks for completions."""
    of_shell = get_completion_class(shell)
    assert of_shell is not None
    return of_shell(program, {}, name, variable).source()
