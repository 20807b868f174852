"""Letters as messages (RFC 5322): text and HTML that say the same, in the reader's language."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from email.utils import format_datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from prefcenter.domain.errors import InvalidAddress
from prefcenter.services.outbox import Letter

LANGUAGES = ("en", "de", "fr", "es", "cy", "ar")
RIGHT_TO_LEFT = frozenset({"ar"})

WHOLE_FIELDS = ("list-unsubscribe", "list-unsubscribe-post", "list-id")
"""Fields that programs read and that hold no words of any language."""

ENCODED_WORD = "=?"
"""How an encoded word begins (RFC 2047 section 2). An address may hold one as it is, but programs on the way decode it,
in fields and even in the envelope, and so a letter with somebody's link would reach another mailbox."""


def compose(letter: Letter, letter_id: str, sender: str, queued_ms: int) -> EmailMessage:
    """The message of a letter. `sender` is the address that it comes from.

    However often it is sent it has one id, so that a mail host can tell a second one after a crash. Raises
    InvalidAddress for an address that would be read as another one.
    """
    if ENCODED_WORD in letter.address:
        raise InvalidAddress("holds an encoded word, which names another mailbox")
    language = letter.language if letter.language in LANGUAGES else LANGUAGES[0]
    words = {name: text.format(name=letter.name) for name, text in _texts(language)[letter.kind].items()}
    message = EmailMessage(_policy())
    message["From"] = Address(letter.name, addr_spec=sender)
    message["To"] = letter.address
    message["Subject"] = words["subject"]
    message["Date"] = format_datetime(datetime.fromtimestamp(queued_ms / 1_000, UTC))
    message["Message-ID"] = f"<{_name_of(letter_id)}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    for name, value in letter.headers.items():
        message[name] = value
    message.set_content(_plain(letter, words))
    message.add_alternative(_html(letter, words, language), subtype="html")
    message["Content-Language"] = language
    return message


def _plain(letter: Letter, words: Mapping[str, str]) -> str:
    labels = "".join(f"\n- {label}" for label in letter.labels)
    parts = (words["lead"] + labels, f"{words['button']}:\n{letter.url}", words["note"], letter.name)
    return "\n\n".join(parts) + "\n"


def _html(letter: Letter, words: Mapping[str, str], language: str) -> str:
    direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    known = {"url": letter.url, "name": letter.name, "labels": letter.labels}
    return _template().render(language=language, direction=direction, **known, **words)


def _name_of(letter_id: str) -> str:
    """A name that tells nobody what the store calls the letter."""
    return hashlib.sha256(letter_id.encode()).hexdigest()[:32]


class _Whole(UnstructuredHeader, BaseHeader):
    """A field that is written as it is. The library encodes what it cannot break into lines of 78 characters, and mail
    programs look for a link and not for an encoded word; a line may have 998 (RFC 5322 section 2.1.1)."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


@cache
def _policy() -> EmailPolicy[EmailMessage]:
    fields = HeaderRegistry()
    for name in WHOLE_FIELDS:
        fields.map_to_type(name, _Whole)
    return SMTP.clone(header_factory=fields)


@cache
def _texts(language: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(files(__package__).joinpath("texts", f"{language}.toml").read_text(encoding="utf-8"))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("prefcenter.mail", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("letter.html")
