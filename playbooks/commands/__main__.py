"""``falco-playbook``, or ``python -m playbooks.commands``."""

from __future__ import annotations

import os
import sys
from typing import List, Optional, Sequence

import click

from playbooks.commands import PROGRAM, tell
from playbooks.commands.check import check
from playbooks.commands.dead import dead
from playbooks.commands.history import history
from playbooks.commands.nats_user import nats_user
from playbooks.commands.options import HELP, Command, Session, command
from playbooks.commands.pause import pause, reset, resume
from playbooks.commands.permissions import permissions
from playbooks.commands.simulate import simulate
from playbooks.commands.status import contained, listing, status
from playbooks.commands.sweep import sweep
from playbooks.commands.token import token
from playbooks.commands.undo import undo
from playbooks.core.errors import PlaybookError
from playbooks.deployment import VERSION
from playbooks.deployment.errors import UsageError, exit_code
from playbooks.deployment.parameters import SHELLS, completion_script
from playbooks.deployment.terminal import discard_output
from playbooks.infrastructure.kubernetes.objects import of_context

# click reads it when a shell asks for completions.
_COMPLETE = "_FALCO_PLAYBOOK_COMPLETE"


class _Program(click.Group):
    """Lists its commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> List[str]:  # noqa: ARG002
        return list(self.commands)


@click.group(
    cls=_Program,
    invoke_without_command=True,
    context_settings=HELP,
    epilog=f"'{PROGRAM} COMMAND -h' shows the options and examples of a command.",
)
@click.version_option(VERSION, message=f"{PROGRAM} %(version)s")
@click.pass_context
def program(ctx: click.Context) -> None:
    """Operate the playbooks that deploy_playbook deployed."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(UsageError.exit_code)


@command("completion bash > /etc/bash_completion.d/falco-playbook")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print the completion script of a shell.

    bash: source <(falco-playbook completion bash)
    """
    click.echo(completion_script(program, PROGRAM, _COMPLETE, shell))
    return 0


_COMMANDS: Sequence[Command] = (
    *(check, simulate, listing, status, contained, history, dead, nats_user),
    *(pause, resume, reset, undo, sweep, token, permissions, completion),
)
for _each in _COMMANDS:
    program.add_command(_each)


def main(arguments: Sequence[str], session: Session) -> int:
    """The exit code: 0, 2 for what was typed wrong, 1 for a failure, 130 for Ctrl-C."""
    try:
        code = program.main(
            list(arguments), PROGRAM, complete_var=_COMPLETE, standalone_mode=False, obj=session
        )
        return int(code or 0)
    except click.UsageError as error:
        tell("error", [_usage(error)])
        return UsageError.exit_code
    except PlaybookError as error:
        tell("error", str(error).splitlines())
        return exit_code(error)
    except (KeyboardInterrupt, click.Abort):
        tell("error", ["interrupted"])
        return 130


def _usage(error: click.UsageError) -> str:
    """In the style of the other errors: no capital letter, no full stop."""
    said = error.format_message().rstrip(".")
    path = error.ctx.command_path if error.ctx else PROGRAM
    return f"{said[:1].lower()}{said[1:]} (see '{path} -h')"


def run(arguments: Optional[Sequence[str]] = None) -> None:
    """What the console script calls."""
    try:
        session = Session(of_context, os.environ)
        code = main(sys.argv[1:] if arguments is None else arguments, session)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    run()
