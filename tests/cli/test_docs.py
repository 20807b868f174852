"""The documents cannot rot: what they show is run, and what can be run is in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest

from prefcenter.cli.program import program
from prefcenter.settings import HOME_VARIABLE, STORE_VARIABLE, VARIABLES
from tests.cli.command_line import ROOT, CommandLine, Ran
from tests.cli.server_process import served

COMMANDS_DOCUMENT = ROOT / "docs" / "commands.md"
SETTINGS_DOCUMENT = ROOT / "docs" / "settings.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEMO_PLACE = re.compile(r"[^\s:]*/prefcenter-demo-[^\s:]*")
"""Where the demo puts its files, which is the machine's directory for temporary ones."""

DOCUMENTS = [
    path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if "```console" in path.read_text()
]


PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links_of(document: Path) -> list[str]:
    """What a document links to within the repository; what is in fences is shown and not linked."""
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("https://")]


def anchors_of(document: Path) -> set[str]:
    """The anchors that a forge gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", document.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(document: Path, link: str) -> bool:
    """Whether the file that a link names exists, and has the heading that the link names."""
    name, _, anchor = link.partition("#")
    target = document.parent / name if name else document
    return target.exists() and (not anchor or anchor in anchors_of(target))


@dataclass(frozen=True)
class Shown:
    """A line that a document types, and what it shows as its output."""

    typed: str
    output: str


def shown_in(document: Path) -> Iterator[Shown]:
    """Every `$ ` line of the console blocks, in order."""
    for block in CONSOLE.findall(document.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            typed, _, output = part.partition("\n")
            yield Shown(typed, output)


def agrees(shown: str, real: str) -> bool:
    """Whether real output is what a document shows; `…` stands for anything in a line, alone for any lines."""
    lines = (re.escape(line).replace("…", ".*") for line in shown.splitlines())
    pattern = "".join("(?:.*\n)*" if line == ".*" else line + "\n" for line in lines)
    return re.fullmatch(pattern, real) is not None


@dataclass
class Reader:
    """Somebody who types the commands of a document, one after the other, in one directory."""

    command_line: CommandLine
    variables: dict[str, str] = field(default_factory=dict)
    last: Ran = field(default_factory=lambda: Ran(0, "", ""))

    def types(self, shown: Shown) -> None:
        """Type a line; what comes out must agree with what the document shows."""
        typed = shown.typed
        if typed.startswith("cat "):
            self._reads(Path(typed.removeprefix("cat ")), shown.output)
        elif typed.startswith("export "):
            name, _, value = typed.removeprefix("export ").partition("=")
            self.variables[name] = value.replace("$PWD", str(Path.cwd()))
        elif typed == "echo $?":
            assert shown.output == f"{self.last.code}\n"
        elif typed == "make demo":
            self._runs(Shown("prefcenter demo", shown.output), "")
        elif piped := re.fullmatch(r"echo (.+) \| (prefcenter .+)", typed):
            self._runs(Shown(piped[2], shown.output), piped[1] + "\n")
        elif typed.startswith(("prefcenter serve", "prefcenter demo --serve")):
            self._serves(shown)
        elif typed.startswith("prefcenter "):
            self._runs(shown, "")

    def _reads(self, path: Path, output: str) -> None:
        """A file that is there must be as shown; one that is not there yet is the reader's own, and is made."""
        if path.exists():
            assert path.read_text(encoding="utf-8") == output
        else:
            path.write_text(output, encoding="utf-8")

    def _serves(self, shown: Shown) -> None:
        """A server is started where a port is free, and told to stop once it says where it is."""
        said = served(shlex.split(shown.typed)[1:], self.variables)
        assert agrees(shown.output.replace("8080", "…"), said), said

    def _runs(self, shown: Shown, stdin: str) -> None:
        self.last = self.command_line.run(*shlex.split(shown.typed)[1:], stdin=stdin, environ=self.variables)
        assert "unforeseen" not in self.last.err
        if shown.output:
            assert agrees(DEMO_PLACE.sub("…", shown.output), self.last.both), f"{shown.typed}\n{self.last.both}"
        else:
            assert self.last.code in (0, 1), f"{shown.typed}\n{self.last.both}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_of_a_document_do_what_it_shows(
    document: Path, prefcenter: CommandLine, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "fixtures").symlink_to(ROOT / "fixtures")
    monkeypatch.setenv("XDG_DATA_HOME", str(workplace / "data"))
    monkeypatch.setenv("HOME", str(workplace))
    reader = Reader(prefcenter)
    for shown in shown_in(document):
        reader.types(shown)


@pytest.mark.parametrize(
    ("shown", "real", "is_same"),
    [
        ("valid until …\n", "valid until 2026-11-21\n", True),
        ("valid until …\n", "invalid\n", False),
        ("one\n…\n", "one\ntwo\nthree\n", True),
        ("one\n", "one\ntwo\n", False),
        ("a.b\n", "axb\n", False),
    ],
)
def test_a_wildcard_stands_for_what_differs_and_for_nothing_else(shown: str, real: str, is_same: bool) -> None:
    assert agrees(shown, real) is is_same


def test_the_documents_show_commands_at_all() -> None:
    assert {path.name for path in DOCUMENTS} >= {"README.md", "commands.md"}
    assert len(list(shown_in(COMMANDS_DOCUMENT))) > 40


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    dead = [link for link in links_of(document) if not leads_somewhere(document, link)]
    assert dead == []


def test_a_link_to_a_missing_page_or_heading_is_noticed() -> None:
    assert leads_somewhere(ROOT / "README.md", "docs/commands.md#prefcenter-init")
    assert not leads_somewhere(ROOT / "README.md", "docs/commands.md#prefcenter-forget")
    assert not leads_somewhere(ROOT / "README.md", "docs/unheard-of.md")


def test_the_readme_leads_to_every_page() -> None:
    linked = {(ROOT / link).resolve() for link in links_of(ROOT / "README.md")}
    assert set((ROOT / "docs").glob("*.md")) - linked == set()


def test_the_architecture_lists_every_folder_of_the_code_and_no_other() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = text.partition("## The folders\n\n```\n")[2].partition("```")[0]
    listed: list[Path] = []
    for indent, name in re.findall(r"^( *)([a-z]+)/ ", block, flags=re.MULTILINE):
        top = next(path for path in (*reversed(listed), ROOT) if not indent or path.parent == ROOT)
        listed.append((top if indent else ROOT) / name)
    assert [path.name for path in listed if not path.is_dir()] == []
    assert {path.parent for path in ROOT.glob("*/*/__init__.py")} - set(listed) == set()


def leaves(command: click.Command = program, name: str = "prefcenter") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its full name."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for word in command.list_commands(context):
        found = command.get_command(context, word)
        assert found is not None
        yield from leaves(found, f"{name} {word}")


LEAVES = dict(leaves())


def sections() -> dict[str, str]:
    """The parts of the document of commands, by their headings."""
    parts = re.split(r"^## (.+)\n", COMMANDS_DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_a_section_with_every_option_and_an_example(name: str) -> None:
    section = sections()[name]
    options = [parameter for parameter in LEAVES[name].params if isinstance(parameter, click.Option)]
    documented = set(re.findall(r"`(--[a-z-]+)", section))
    assert {text for option in options for text in option.opts} - documented == set()
    assert f"$ {name}" in section


def test_no_section_is_about_a_command_that_is_not_there() -> None:
    assert {name for name in sections() if name.startswith("prefcenter ")} == set(LEAVES)


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_is_used_in_an_example(name: str) -> None:
    typed = " ".join(shown.typed for shown in shown_in(COMMANDS_DOCUMENT) if name in shown.typed)
    options = [parameter for parameter in LEAVES[name].params if isinstance(parameter, click.Option)]
    assert [option.opts[0] for option in options if option.opts[0] not in typed.split()] == []


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_setting_is_documented(variable: str) -> None:
    assert variable in SETTINGS_DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("variable", [HOME_VARIABLE, STORE_VARIABLE])
def test_settings_of_all_commands_are_told_with_the_commands(variable: str) -> None:
    assert variable in COMMANDS_DOCUMENT.read_text(encoding="utf-8")


def test_the_options_of_the_program_itself_are_documented() -> None:
    assert "--home DIR" in COMMANDS_DOCUMENT.read_text(encoding="utf-8")
