"""Names, colours, logos and labels of controllers: which are taken, and what is made of them."""

from __future__ import annotations

import pytest

from prefcenter.services.brand import CONTRAST_MIN, DARK_GROUND, Brand, brand_of, contrast
from prefcenter.services.brand_checks import check_brand
from prefcenter.services.policy_schema import FaultReport
from tests.unit.services.acme_policy import edited, faults_of, parsed

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'


def faulty_keys(brand: object) -> list[str]:
    report = FaultReport("acme.toml")
    check_brand(brand, report)
    return [fault.key for fault in report.faults]


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#ffffff", "#ffffff") == 1.0
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#777777", "#ffffff") == contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colour", ["#767676", "#000000", "#1d4ed8"])
def test_a_colour_that_can_be_read_is_taken_and_read_on_dark_ground_too(colour: str) -> None:
    assert faulty_keys({"colour": colour}) == []
    dark = Brand("Acme", colour=colour).dark_colour
    assert dark is not None
    assert contrast(dark, DARK_GROUND) >= CONTRAST_MIN


@pytest.mark.parametrize("colour", ["#777777", "#ffff00", "#fff", "red", "#1D4ED8", "#1d4ed8;}", 3, ["#000000"]])
def test_a_colour_that_cannot_be_read_or_is_none_is_a_fault(colour: object) -> None:
    assert faulty_keys({"colour": colour}) == ["brand.colour"]


def test_a_drawing_is_a_logo() -> None:
    assert faulty_keys({"logo": SVG.format('<circle cx="4" cy="4" r="3" fill="#123456"/>')}) == []


@pytest.mark.parametrize(
    "logo",
    [
        SVG.format("<script>alert(1)</script>"),
        SVG.format('<image href="https://elsewhere.example/pixel"/>'),
        SVG.format('<rect style="fill:url(https://elsewhere.example/)"/>'),
        SVG.format("<foreignObject/>"),
        SVG.format('<rect onload="alert(1)"/>'),
        "<!DOCTYPE svg>" + SVG.format(""),
        '<?xml-stylesheet href="x"?>' + SVG.format(""),
        SVG.format("<rect>"),
        SVG.format("x" * 8_000),
        "<p>no drawing</p>",
        "logo.png",
        7,
    ],
)
def test_what_is_more_or_less_than_a_drawing_is_no_logo(logo: object) -> None:
    assert faulty_keys({"logo": logo}) == ["brand.logo"]


@pytest.mark.parametrize("labels", [{"de": {"news": ""}}, {"de": "Neues"}, {"German": {}}, ["de"], {"de": {"news": 1}}])
def test_labels_are_lines_by_language_and_id(labels: object) -> None:
    assert faulty_keys({"labels": labels}) == ["brand.labels"]
    assert faulty_keys({"labels": {"de": {"news": "Neues"}}}) == []


def test_keys_of_the_owner_s_own_are_left_to_them() -> None:
    assert faulty_keys({"slogan": ["whatever"]}) == []
    assert faulty_keys("no table at all, which is reported elsewhere") == []


def test_a_label_that_is_not_translated_says_which_language_it_is_in() -> None:
    brand = Brand("Acme", language="fr", labels={"de": {"news": "Neues"}})
    assert brand.label("news", "Nouvelles", "de") == ("Neues", "de")
    assert brand.label("news", "Nouvelles", "cy") == ("Nouvelles", "fr")


@pytest.mark.parametrize("name", ["name", "contact"])
def test_a_name_is_one_line(name: str) -> None:
    assert faulty_keys({name: "two\nlines"}) == [f"brand.{name}"]
    assert faulty_keys({name: "one line"}) == []


@pytest.mark.parametrize("language", ["English", "e", "", 1])
def test_a_language_is_two_or_three_letters(language: object) -> None:
    assert faulty_keys({"language": language}) == ["brand.language"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://authority.example", "https://", "https://a b"])
def test_where_to_complain_is_a_web_page(url: str) -> None:
    assert faulty_keys({"authority_url": url}) == ["brand.authority_url"]
    assert faulty_keys({"authority_url": "https://authority.example/complain"}) == []


def test_a_policy_with_a_colour_that_cannot_be_read_is_refused() -> None:
    ((key, expected),) = faults_of(edited(("[rights]", '[brand]\ncolour = "#ffff00"\n[rights]')))
    assert key == "brand.colour"
    assert "contrast" in expected


def test_a_policy_that_says_nothing_of_a_brand_has_its_controller_s_name() -> None:
    policy = parsed(edited())
    assert brand_of(policy) == Brand(name=policy.name, controller=policy.controller)
    named = parsed(edited(("[rights]", '[brand]\nname = "Acme & Sons"\ncolour = "#1d4ed8"\n[rights]')))
    assert (brand_of(named).name, brand_of(named).colour) == ("Acme & Sons", "#1d4ed8")
