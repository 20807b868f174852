"""The program `prefcenter`: finds the command, runs it, and turns errors into one clear line and an exit code."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from prefcenter.domain.errors import PrefcenterError
from prefcenter.settings import read_settings

EXIT_DONE, EXIT_NO, EXIT_FAULT = 0, 1, 2

_COMMANDS = {
    "init": ("prefcenter.cli.home", "init"),
    "check": ("prefcenter.cli.asking", "check"),
    "opt-out": ("prefcenter.cli.acts", "opt_out"),
    "consent": ("prefcenter.cli.acts", "consent"),
    "suppress": ("prefcenter.cli.acts", "suppress"),
    "lift": ("prefcenter.cli.acts", "lift"),
    "import": ("prefcenter.cli.importing", "import_list"),
    "scrub": ("prefcenter.cli.scrubbing", "scrub"),
    "audit": ("prefcenter.cli.auditing", "audit"),
    "policy": ("prefcenter.cli.policies", "policy"),
    "keys": ("prefcenter.cli.keys", "keys"),
    "demo": ("prefcenter.cli.demo", "demo"),
}
_MAY_BE_PERSONAL = re.compile(r"\S*@\S*|\+?\d[\d ().-]{5,}\d")


class LazyGroup(click.Group):
    """A group that imports a command's file only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory with store, keyring and policies (else PREFCENTER_HOME, else the user's data directory).",
)
@click.version_option(package_name="prefcenter")
@click.pass_context
def program(ctx: click.Context, home: Path | None) -> None:
    """May we send this, to this address, on this channel, now, and why.

    \b
    Example:
      prefcenter init --policies fixtures/policies
      prefcenter check pat@acme.example --controller opencontact --purpose client-marketing --channel email

    Exit codes: 0 yes or done; 1 a clear no or a failed check; 2 bad input or a fault.
    """
    ctx.obj = read_settings(os.environ, home)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit. Errors are one line on stderr, or one JSON object with `--json`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        outcome = program.main(given, prog_name="prefcenter", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.UsageError as error:
        hint = f"\nTry '{error.ctx.command_path} --help'." if error.ctx and "--json" not in given else ""
        _fail("usage", _without_personal_data(error.format_message()) + hint, given)
    except click.ClickException as error:
        _fail("fault", _without_personal_data(error.format_message()), given)
    except click.Abort:
        _fail("interrupted", "interrupted; nothing more was done", given)
    except PrefcenterError as error:
        _fail(error.code, str(error), given)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAULT)
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str) else "file"
        _fail("fault", f"{_without_personal_data(name)}: {error.strerror}", given)
    sys.exit(outcome if isinstance(outcome, int) else EXIT_DONE)


def _fail(code: str, message: str, given: Sequence[str]) -> None:
    if "--json" in given:
        message = json.dumps({"error": {"code": code, "message": message, "id": secrets.token_hex(8)}})
    click.echo(message, err=True)
    sys.exit(EXIT_FAULT)


def _without_personal_data(message: str) -> str:
    """What was typed in a wrong place may be an address; usage errors quote it, so it is blotted out."""
    return _MAY_BE_PERSONAL.sub("***", message)
