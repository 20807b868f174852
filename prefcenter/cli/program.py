"""The program `prefcenter`: finds the command, runs it, and turns errors into one clear line and an exit code."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import secrets
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from traceback import extract_tb

import click

from prefcenter.domain.errors import InvalidAddress, InvalidInput, InvalidTime, PrefcenterError
from prefcenter.settings import Settings, read_settings

EXIT_DONE, EXIT_NO, EXIT_FAULT = 0, 1, 2

NEW_OBJECTS_A_COLLECTION = 50_000
"""Loading a command makes many objects and no garbage; with Python's 700 a tenth of a short run is spent on looking."""

_COMMANDS = {
    "init": ("prefcenter.cli.home", "init"),
    "check": ("prefcenter.cli.asking", "check"),
    "opt-out": ("prefcenter.cli.acts", "opt_out"),
    "consent": ("prefcenter.cli.acts", "consent"),
    "suppress": ("prefcenter.cli.acts", "suppress"),
    "link": ("prefcenter.cli.linking", "link"),
    "lift": ("prefcenter.cli.acts", "lift"),
    "import": ("prefcenter.cli.importing", "import_list"),
    "scrub": ("prefcenter.cli.scrubbing", "scrub"),
    "scrub-verify": ("prefcenter.cli.verifying", "scrub_verify"),
    "audit": ("prefcenter.cli.auditing", "audit"),
    "policy": ("prefcenter.cli.policies", "policy"),
    "keys": ("prefcenter.cli.keys", "keys"),
    "store": ("prefcenter.cli.stores", "store"),
    "apikey": ("prefcenter.cli.api_keys", "apikey"),
    "serve": ("prefcenter.cli.serving", "serve"),
    "demo": ("prefcenter.cli.demo", "demo"),
}
_EMAIL = re.compile(r"[^\s/'\"(]+@[^\s/:'\")]*")
_ADDRESS_CHARACTERS_MIN = 5
_PHONE_DIGITS_MIN = 7
_FIELDS = {InvalidAddress: "address: ", InvalidTime: "time: "}
"""The field that an error is about, where its own message does not begin with it."""


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
      prefcenter check pat@acme.example --controller opencontact \\
          --purpose client-marketing --channel email

    Exit codes: 0 yes or done; 1 a clear no or a failed check; 2 bad input or a fault.
    """
    ctx.obj = _settings(home)


def _settings(home: Path | None) -> Settings:
    try:
        return read_settings(os.environ, home)
    except RuntimeError:
        raise InvalidInput(
            "home: the user's directory cannot be told; name it with --home or PREFCENTER_HOME"
        ) from None
    except UnicodeEncodeError:
        raise InvalidInput("home: its path is not text in this system's encoding; choose another") from None


def main(arguments: Sequence[str] | None = None, command: click.Command = program, name: str = "prefcenter") -> None:
    """Run the program, or a command that is one by itself, and exit.

    Errors are one line on stderr, or one JSON object with `--json`.
    Exit 1 says no, so whatever goes wrong is 2, be it a mistake of ours or an answer that nobody received.
    """
    gc.set_threshold(NEW_OBJECTS_A_COLLECTION)
    given = list(sys.argv[1:] if arguments is None else arguments)
    _show_whatever_is_named()
    try:
        outcome = command.main(given, prog_name=name, standalone_mode=False)
    except SystemExit:
        # Only click itself exits in there, with 1, when nobody reads the output any more.
        sys.exit(EXIT_FAULT)
    except click.exceptions.NoArgsIsHelpError as error:
        # Nothing was typed that could be an address, so the help keeps those of its examples.
        click.echo(error.format_message(), err=True)
        sys.exit(EXIT_FAULT)
    except click.UsageError as error:
        hint = f"\nTry '{error.ctx.command_path} --help'." if error.ctx and "--json" not in given else ""
        _fail("usage", error.format_message() + hint, given)
    except click.ClickException as error:
        _fail("fault", error.format_message(), given)
    except click.Abort:
        _fail("interrupted", "interrupted; nothing more was done", given)
    except PrefcenterError as error:
        _fail(error.code, f"{_FIELDS.get(type(error), '')}{error}", given)
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str) else "file"
        _fail("fault", f"{name}: {error.strerror}", given)
    except Exception as error:
        # The message of an unforeseen error may quote what it stumbled over, so only its place is told.
        place = extract_tb(error.__traceback__)[-1]
        _fail("fault", f"unforeseen {type(error).__name__} at {Path(place.filename).name}:{place.lineno}", given)
    sys.exit(outcome if isinstance(outcome, int) else EXIT_DONE)


def _show_whatever_is_named() -> None:
    """Paths may hold characters that a terminal cannot show, and an act must not look failed on their account."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(code: str, message: str, given: Sequence[str]) -> None:
    message = without_addresses(message, given)
    if "--json" in given:
        message = json.dumps({"error": {"code": code, "message": message, "id": secrets.token_hex(8)}})
    click.echo(message, err=True)
    sys.exit(EXIT_FAULT)


def without_addresses(message: str, given: Sequence[str] = ()) -> str:
    """What was typed in a wrong place may be an address, and errors quote it: whatever could be one is blotted out."""
    # Click quotes an option without its value, and a number without its leading zeros.
    values = {value for argument in given for value in (argument, *argument.split("=", 1), argument.lstrip("-0"))}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _ADDRESS_CHARACTERS_MIN and _may_be_address(value):
            message = message.replace(value, "***").replace(repr(value)[1:-1], "***")
    return _EMAIL.sub("***", message)


def _may_be_address(text: str) -> bool:
    """Whether a text could be an email or postal address, a phone number or a push token."""
    digits = sum(map(str.isdigit, text))
    return (
        any(mark in text for mark in "@,\n")
        or text.casefold().startswith(("push:", "tel:"))
        or (digits > 0 and any(map(str.isspace, text)))
        or (digits >= _PHONE_DIGITS_MIN and not any(map(str.isalpha, text)))
    )
