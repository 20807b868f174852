"""Tokens of links: opaque, short, bound to their controller and key, and opened by every key of the keyring."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.digest import DigestKind
from prefcenter.domain.terms import Channel
from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.security.tokens import ABOUT_BYTES_MAX, TOKEN_CHARACTERS_MAX, LinkCipher, LinkKind, LinkToken, tag
from tests.factories import EXACT, SUBJECT, a_digest

KEYRING = new_keyring("2026-11-24T00:00:00.000Z")
CIPHER = LinkCipher(KEYRING, "acme")
TOKEN = LinkToken(LinkKind.UNSUBSCRIBE, Channel.EMAIL, SUBJECT, EXACT, 1_795_000_000, tag("purpose", "offers"))
TEXT = CIPHER.seal(TOKEN)


def test_what_is_sealed_opens_as_it_was() -> None:
    assert CIPHER.open(TEXT) == TOKEN


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        (Channel.EMAIL, DigestKind.MAILBOX),
        (Channel.SMS, DigestKind.PHONE),
        (Channel.VOICE, DigestKind.PHONE),
        (Channel.POST, DigestKind.POST),
        (Channel.PUSH, DigestKind.PUSH),
    ],
)
@pytest.mark.parametrize("link_kind", LinkKind)
def test_every_kind_on_every_channel_opens(link_kind: LinkKind, channel: Channel, kind: DigestKind) -> None:
    token = LinkToken(link_kind, channel, a_digest("it", kind), EXACT, 2**32 - 1, b"about")
    assert CIPHER.open(CIPHER.seal(token)) == token


@given(about=st.binary(max_size=ABOUT_BYTES_MAX), issued_s=st.integers(0, 2**32 - 1))
def test_the_longest_token_has_fewer_than_120_characters_of_a_url(about: bytes, issued_s: int) -> None:
    token = LinkToken(LinkKind.CONFIRM, Channel.EMAIL, SUBJECT, EXACT, issued_s, about)
    text = CIPHER.seal(token)
    assert len(text) <= TOKEN_CHARACTERS_MAX < 120
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert CIPHER.open(text) == token


def test_a_token_shows_neither_digest_nor_what_it_is_about() -> None:
    octets = base64.urlsafe_b64decode(TEXT + "=" * (-len(TEXT) % 4))
    for part in (SUBJECT.value, EXACT.value, TOKEN.about, b"offers"):
        assert part not in octets


def test_no_altered_or_shortened_token_opens() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in range(len(TEXT)):
        for letter in letters[::7]:
            if letter != TEXT[place]:
                assert CIPHER.open(TEXT[:place] + letter + TEXT[place + 1 :]) is None
        assert CIPHER.open(TEXT[:place]) is None


@given(text=st.text(max_size=200))
def test_no_other_text_opens(text: str) -> None:
    assert CIPHER.open(text) is None


@pytest.mark.parametrize("added", ["=", "A", " ", "\n", "é", "A" * 200])
def test_a_token_is_written_in_one_way_only(added: str) -> None:
    assert CIPHER.open(TEXT + added) is None
    assert CIPHER.open(added + TEXT) is None


def test_another_controller_and_another_keyring_do_not_open_it() -> None:
    assert LinkCipher(KEYRING, "globex").open(TEXT) is None
    assert LinkCipher(new_keyring("2026-11-24T00:00:00.000Z"), "acme").open(TEXT) is None


def test_the_key_that_is_named_is_bound_to_the_token() -> None:
    rotated = KEYRING.rotated("2026-11-25T00:00:00.000Z")
    octets = base64.urlsafe_b64decode(TEXT + "=" * (-len(TEXT) % 4))
    relabelled = base64.urlsafe_b64encode(b"\2" + octets[1:]).rstrip(b"=").decode()
    assert LinkCipher(rotated, "acme").open(relabelled) is None


def retired(keyring: Keyring) -> Keyring:
    return keyring.rotated("2026-11-26T00:00:00.000Z").with_retired(1)


def test_a_token_opens_after_rotations_and_after_its_key_was_retired() -> None:
    rotated = KEYRING.rotated("2026-11-25T00:00:00.000Z")
    for keyring in (rotated, retired(rotated)):
        assert LinkCipher(keyring, "acme").open(TEXT) == TOKEN


def test_new_tokens_are_made_with_the_newest_key() -> None:
    cipher = LinkCipher(KEYRING.rotated("2026-11-25T00:00:00.000Z"), "acme")
    assert CIPHER.open(cipher.seal(TOKEN)) is None
    assert cipher.open(cipher.seal(TOKEN)) == TOKEN
