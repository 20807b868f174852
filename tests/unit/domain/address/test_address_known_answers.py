"""Forms as they stand in stores: digests hang on them, so that a library upgrade which changes one must not pass.

Such an upgrade first freezes the old form in code and takes a new rules version; the answers here are never edited.
"""

from __future__ import annotations

import pytest

from prefcenter.domain.address import RULES_VERSIONS, parse
from prefcenter.domain.terms import AddressKind

EMAIL, PHONE, POST, PUSH = AddressKind

KNOWN_ANSWERS_OF_RULES_1 = [
    (EMAIL, "GB", "Pat.Doe@Acme.Example", "pat.doe@acme.example", "pat.doe@acme.example", ("acme.example",)),
    (EMAIL, "GB", "Pat+News@acme.example", "pat+news@acme.example", "pat@acme.example", ("acme.example",)),
    (EMAIL, "GB", "+news@acme.example", "+news@acme.example", "+news@acme.example", ("acme.example",)),
    (EMAIL, "GB", "pat@a.b.acme.co.uk", "pat@a.b.acme.co.uk", "pat@a.b.acme.co.uk",
     ("a.b.acme.co.uk", "b.acme.co.uk", "acme.co.uk", "co.uk")),
    (EMAIL, "GB", "pat@acme.github.io", "pat@acme.github.io", "pat@acme.github.io",
     ("acme.github.io", "github.io")),
    (EMAIL, "GB", "pat@github.io", "pat@github.io", "pat@github.io", ("github.io",)),
    (EMAIL, "GB", "pat@bücher.example", "pat@xn--bcher-kva.example", "pat@xn--bcher-kva.example",
     ("xn--bcher-kva.example",)),
    (EMAIL, "GB", "pat@straße.example", "pat@xn--strae-oqa.example", "pat@xn--strae-oqa.example",
     ("xn--strae-oqa.example",)),
    (EMAIL, "GB", "P.A.T+news@googlemail.com", "p.a.t+news@googlemail.com", "pat@gmail.com", ()),
    (EMAIL, "GB", "Pat-News@yahoo.co.uk", "pat-news@yahoo.co.uk", "pat@yahoo.co.uk", ()),
    (EMAIL, "GB", "pat-news@yahoo.co.jp", "pat-news@yahoo.co.jp", "pat-news@yahoo.co.jp", ()),
    (EMAIL, "GB", "news@pat.fastmail.com", "news@pat.fastmail.com", "pat@fastmail.com", ()),
    (EMAIL, "GB", "pat@mac.com", "pat@mac.com", "pat@icloud.com", ()),
    (EMAIL, "GB", "pat_ex-am.ple@pm.me", "pat_ex-am.ple@pm.me", "patexample@proton.me", ()),
    (EMAIL, "GB", "pat.example@ya.ru", "pat.example@ya.ru", "pat-example@yandex.ru", ()),
    (EMAIL, "GB", "Pat@hotmail.co.uk", "pat@hotmail.co.uk", "pat@hotmail.co.uk", ()),
    (EMAIL, "GB", '"Pat Example"@acme.example', '"pat example"@acme.example', '"pat example"@acme.example',
     ("acme.example",)),
    (EMAIL, "GB", '"p..at"@gmail.com', '"p..at"@gmail.com', "pat@gmail.com", ()),
    (EMAIL, "GB", "pat.+x@acme.example", "pat.+x@acme.example", '"pat."@acme.example', ("acme.example",)),
    (EMAIL, "GB", "ﬁona™@acme.example", "ﬁona™@acme.example", "fionatm@acme.example", ("acme.example",)),
    (EMAIL, "GB", "RENE\u0301@acme.example", "ren\u00e9@acme.example", "ren\u00e9@acme.example", ("acme.example",)),
    (EMAIL, "GB", "a＠b@acme.example", "a＠b@acme.example", '"a@b"@acme.example', ("acme.example",)),
    (EMAIL, "GB", "a.\u0308b@gmail.com", "a.\u0308b@gmail.com", "äb@gmail.com", ()),
    (PHONE, "GB", "020 7946 0123", "+442079460123", "+442079460123", ()),
    (PHONE, "GB", "(020) 7946 0123 ext. 12", "+442079460123;ext=12", "+442079460123", ()),
    (PHONE, "GB", "447700900123.0", "+447700900123", "+447700900123", ()),
    (PHONE, "US", "(202) 555-0123", "+12025550123", "+12025550123", ()),
    (PHONE, "DE", "030/23125-123", "+493023125123", "+493023125123", ()),
    (PHONE, "FR", "tel:+33-1-99-00-12-34;ext=7", "+33199001234;ext=7", "+33199001234", ()),
    (PHONE, "IT", "06 1234 5678", "+390612345678", "+390612345678", ()),
    (POST, "GB", "Pat Example, Flat 2, 10 High St, London, SW1A 1AA", "post:GB|SW1A1AA|unit 2 10|pat example",
     "post:GB|SW1A1AA|unit 2 10", ()),
    (POST, "GB", "Pat Example, Rose Cottage, Mill Lane, AB1 2CD", "post:GB|AB12CD|rose cottage|pat example",
     "post:GB|AB12CD|rose cottage", ()),
    (POST, "GB", "10 High St, SW1A 1AA", "post:GB|SW1A1AA|10|", "post:GB|SW1A1AA|10", ()),
    (POST, "US", "Pat, 10 N Main St Apt #5, Springfield, IL 62701-1234",
     "post:US|62701|unit 5 10 north main street|pat", "post:US|62701|unit 5 10 north main street", ()),
    (POST, "US", "Acme, PO Box 77, Sample, LA 70130", "post:US|70130|box 77|acme", "post:US|70130|box 77", ()),
    (POST, "DE", "Pat Beispiel, Mühlenstr. 12 a, 10115 Berlin", "post:DE|10115|12a muehlenstrasse|pat beispiel",
     "post:DE|10115|12a muehlenstrasse", ()),
    (POST, "FR", "Pat, Bât. B, Appt 3, 12 bis av. de l'Église, 75002 Paris",
     "post:FR|75002|building b unit 3 12bis avenue de leglise|pat",
     "post:FR|75002|building b unit 3 12bis avenue de leglise", ()),
    (PUSH, "GB", "push:Token~1@x", "push:Token~1@x", "push:Token~1@x", ()),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "country", "text", "exact", "mailbox", "domains"), KNOWN_ANSWERS_OF_RULES_1)
def test_a_form_is_what_stores_hold(
    kind: AddressKind, country: str, text: str, exact: str, mailbox: str, domains: tuple[str, ...]
) -> None:
    forms = {form.rules: form for form in parse(text, kind, country=country).forms}[1]
    assert (forms.exact, forms.mailbox, forms.domains) == (exact, mailbox, domains)


def test_rules_versions_are_newest_first_and_every_address_has_a_form_for_each() -> None:
    assert tuple(sorted(RULES_VERSIONS, reverse=True)) == RULES_VERSIONS
    for kind, country, text, *_ in KNOWN_ANSWERS_OF_RULES_1:
        assert tuple(form.rules for form in parse(text, kind, country=country).forms) == RULES_VERSIONS
