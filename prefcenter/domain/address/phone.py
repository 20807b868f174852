"""Phone numbers: what lists and `tel:` links hold, as E.164; an extension counts for consents only.

Numbers that spell words (vanity numbers) are refused, because a cell with letters is a mistake far more often, and so
are numbers without their area code, for they are different lines in every town.
"""

from __future__ import annotations

import re
import unicodedata

from prefcenter.domain.address.blanks import stripped, without_format_marks
from prefcenter.domain.address.forms import Address, same_under_every_version
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

TEL = "tel:"
SPREADSHEET_FLOAT = re.compile(r"(\+?\d{7,15})\.0")
SCIENTIFIC = re.compile(r"\d+(?:[.,]\d+)?e[+-]?\d+")
SPOKEN = re.compile(
    r"(?P<number>[+(]?[+\d\s().\-/]*?)"
    r"(?:[\s,;]*(?:;ext=|(?:extension|extn|ext|x|#)[.:]?)\s*(?P<extension>\d{1,10}))?"
)
DIALLED = re.compile(r"\+?\d+")
FEWEST_DIGITS = 5  # Fewer are a year, a house number or a short code, and two of them would be half the number.
DASHES = re.compile("[\u2010-\u2015\u2212\u30fc]")


def parse_phone(text: str, country: str) -> Address:
    number, extension = _number_and_extension(_plain(text))
    dialled = _dialled(number)
    e164, country_code = _e164(dialled, country)
    exact = f"{e164};ext={extension}" if extension else e164
    return Address(
        kind=AddressKind.PHONE,
        forms=same_under_every_version(exact, e164),
        masked=f"+{country_code} ***{e164[-2:]}",
        written=stripped(text).lower(),
    )


def looks_like_phone(text: str) -> bool:
    plain = _plain(text)
    if plain.startswith(TEL) or SPREADSHEET_FLOAT.fullmatch(plain) or SCIENTIFIC.fullmatch(plain):
        return True
    spoken = SPOKEN.fullmatch(plain)
    return spoken is not None and sum(character.isdigit() for character in spoken["number"]) >= FEWEST_DIGITS


def mask_phone_without_country(text: str) -> str:
    """The last two digits of a national number, for a log line that does not know the country."""
    try:
        number, _ = _number_and_extension(_plain(text))
    except InvalidAddress:
        return "***"
    digits = "".join(character for character in number if character.isdigit())
    return f"***{digits[-2:]}" if len(digits) >= FEWEST_DIGITS else "***"


def _plain(text: str) -> str:
    """Full-width and other scripts' digits as ASCII ones, one kind of dash, no invisible marks, lower case."""
    compatible = unicodedata.normalize("NFKC", without_format_marks(text))
    ascii_digits = "".join(_ascii_digit(character) for character in compatible)
    return DASHES.sub("-", stripped(ascii_digits)).lower()


def _ascii_digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _number_and_extension(plain: str) -> tuple[str, str]:
    if plain.startswith(TEL):
        return _from_tel_uri(plain.removeprefix(TEL))
    if not any(character.isdigit() for character in plain):
        raise InvalidAddress("holds no phone number")
    if SCIENTIFIC.fullmatch(plain):
        raise InvalidAddress("has lost digits to scientific notation")
    if float_cell := SPREADSHEET_FLOAT.fullmatch(plain):
        return float_cell[1], ""
    spoken = SPOKEN.fullmatch(plain)
    if spoken is None:
        raise InvalidAddress("holds characters that no phone number has")
    return spoken["number"], spoken["extension"] or ""


def _from_tel_uri(uri: str) -> tuple[str, str]:
    """Number and extension of a tel URI (RFC 3966 section 3). A context that is a domain leaves a number national."""
    number, *parameters = uri.split(";")
    values = dict(parameter.partition("=")[::2] for parameter in parameters)
    context = values.get("phone-context", "")
    if context.startswith("+") and not number.startswith("+"):
        number = context + number
    extension = re.sub(r"[\s().\-]", "", values.get("ext", ""))
    if not re.fullmatch(r"\d{0,10}", extension):
        raise InvalidAddress("has an extension that is not a number")
    return number, extension


def _dialled(number: str) -> str:
    """Digits alone, after a plus for an international number; `00` means the same nearly everywhere."""
    dialled = re.sub(r"[\s().\-/]", "", number)
    if dialled.startswith("00"):
        dialled = f"+{dialled[2:]}"
    if not DIALLED.fullmatch(dialled):
        raise InvalidAddress("holds characters that no phone number has")
    return dialled


def _e164(dialled: str, country: str) -> tuple[str, int]:
    """E.164 of a possible number, and its country code.

    A number whose E.164 form reads as another number (trunk prefixes written twice) is refused rather than guessed.
    """
    import phonenumbers

    written = dialled
    for _ in range(2):
        try:
            number = phonenumbers.parse(written, country)
        except phonenumbers.NumberParseException:
            raise InvalidAddress("is not a possible phone number") from None
        if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
            raise InvalidAddress("is not a possible phone number")
        earlier, written = written, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if written != earlier:
        raise InvalidAddress("is not a possible phone number")
    return written, number.country_code or 0
