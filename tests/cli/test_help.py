"""Help: every command has an example that can be pasted, and pasting it works."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from prefcenter.bootstrap import open_services
from prefcenter.cli.program import program
from prefcenter.services.ports import ApiKey
from prefcenter.settings import read_settings
from tests.cli.command_line import ROOT, CommandLine
from tests.cli.server_process import served

FILES = {
    "bounces.csv": "email,when\npat@acme.example,2026-01-02\n",
    "campaign.csv": "email,class\npat@acme.example,business\nsam@gmail.com,personal\n",
}
"""The lists that examples name."""


def commands(command: click.Command = program, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group by its words, the program itself first."""
    yield names
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*names, name))


COMMANDS = list(commands())


def help_of(prefcenter: CommandLine, names: tuple[str, ...]) -> str:
    ran = prefcenter(*names, "--help")
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def examples(help_text: str) -> list[str]:
    """The commands that stand under `Example:` up to an empty line, those over several lines joined."""
    _, _, after = help_text.partition("Example:\n")
    lines = [line.strip() for line in after.partition("\n\n")[0].splitlines()]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line]


@pytest.fixture
def scratch(workplace: Path) -> Path:
    """A directory with whatever examples name."""
    for name, text in FILES.items():
        (workplace / name).write_text(text, encoding="utf-8")
    (workplace / "fixtures").symlink_to(ROOT / "fixtures")
    return workplace


def prepare(prefcenter: CommandLine, names: tuple[str, ...]) -> CommandLine:
    """Bring a home into the state in which a command is needed."""
    if names in ((), ("init",)):
        return CommandLine(prefcenter.home.with_name("new"))
    if names == ("keys", "retire"):
        prefcenter.done("keys rotate")
    if names == ("scrub-verify",):
        prefcenter.done(
            "scrub campaign.csv --controller opencontact --purpose client-marketing --channel email --out scrubbed"
        )
    if names == ("apikey", "revoke"):
        put_api_key(prefcenter.home, "0123456789ab")
    return prefcenter


def put_api_key(home: Path, key_id: str) -> None:
    """Put an API key of that id into the store; the command itself draws its ids."""

    async def put() -> None:
        async with open_services(read_settings({}, home)) as services:
            key = ApiKey(key_id, "mail-tool", bytes(32), frozenset({"decide"}), frozenset(), services.clock())
            await services.store.put_api_key(key)

    asyncio.run(put())


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_the_examples_of_a_command_can_be_pasted(
    prefcenter: CommandLine, scratch: Path, names: tuple[str, ...]
) -> None:
    del scratch
    pasted = examples(help_of(prefcenter, names))
    assert pasted
    ready = prepare(prefcenter, names)
    for example in pasted:
        assert example.startswith(" ".join(("prefcenter", *names)))
        if names == ("serve",):
            assert served(shlex.split(example)[1:], {"PREFCENTER_HOME": str(ready.home)}).startswith("serving http://")
            continue
        ran = ready(*shlex.split(example)[1:])
        assert ran.code in (0, 1), f"{example}\n{ran.both}"


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_option_of_a_command_is_explained(prefcenter: CommandLine, names: tuple[str, ...]) -> None:
    help_text = help_of(prefcenter, names)
    assert help_text.startswith("Usage: prefcenter")
    for option in options(names):
        assert option.help, f"{option.opts[0]} is not explained"
        assert option.opts[0] in help_text


def options(names: tuple[str, ...]) -> list[click.Option]:
    """The options of a command, without `--help`."""
    command: click.Command = program
    for name in names:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def test_the_program_lists_its_commands(prefcenter: CommandLine) -> None:
    help_text = help_of(prefcenter, ())
    listed = {names[0] for names in COMMANDS if names}
    assert listed >= {"init", "check", "opt-out", "consent", "suppress", "lift", "import", "scrub", "audit", "demo"}
    for name in listed:
        assert f"\n  {name} " in help_text


def test_without_a_command_the_help_is_shown(prefcenter: CommandLine) -> None:
    ran = prefcenter()
    assert ran.code == 2
    assert "Usage: prefcenter [OPTIONS] COMMAND" in ran.both


def test_the_version_is_told(prefcenter: CommandLine) -> None:
    assert prefcenter.done("--version").startswith("prefcenter, version ")
