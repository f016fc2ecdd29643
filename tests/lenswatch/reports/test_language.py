"""Every text of the reports is in every catalogue, with its placeholders."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from lenswatch.policy import load_packs
from lenswatch.reports import write_reports
from lenswatch.reports.language import languages, load_language
from tests.lenswatch.reports import factories

FOLDER = Path(str(files("lenswatch.reports")))
PLACE = re.compile(r"%\(\w+\)s|\{\w+\}")


def texts() -> set[str]:
    """Every translatable text, the singular of those that have a plural."""
    found = extract_from_dir(
        FOLDER,
        [("**.py", "python"), ("**.j2", "jinja2")],
        {"**.j2": {"extensions": "jinja2.ext.i18n"}},
    )
    return {
        message if isinstance(message, str) else message[0]
        for _, _, message, *_ in found
        if message
    }


def forms(message: Message) -> list[str]:
    """The translation, one form or several."""
    string = message.string
    return [string] if isinstance(string, str) else list(string or ())


def catalogue(code: str) -> dict[str, Message]:
    with FOLDER.joinpath("locale", f"{code}.po").open("rb") as stream:
        content = read_po(stream)
    return {(m.id if isinstance(m.id, str) else m.id[0]): m for m in content if m.id}


TRANSLATED = [code for code in languages() if code != "en"]


def test_there_is_a_second_language() -> None:
    assert "zh-Hans" in TRANSLATED


@pytest.mark.parametrize("code", TRANSLATED)
def test_catalogue_is_complete(code: str) -> None:
    messages = catalogue(code)
    assert sorted(texts() - set(messages)) == [], f"translate these in locale/{code}.po"
    assert [key for key, message in messages.items() if not all(forms(message))] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_placeholders_survive_translation(code: str) -> None:
    for key, message in catalogue(code).items():
        for string in forms(message):
            assert set(PLACE.findall(string)) == set(PLACE.findall(key)), key


@pytest.mark.parametrize("code", TRANSLATED)
def test_reports_in_another_language(code: str, tmp_path: Path) -> None:
    write_reports(factories.city(), tmp_path, language=code)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f'<html lang="{code}">' in page
    words = load_language(code)
    for text in ("What must change", "What could not be checked", "could not be checked"):
        assert words.gettext(text) in page
        assert f">{text}<" not in page
    # the canonical result is the same in every language
    write_reports(factories.city(), tmp_path / "en")
    for name in ("findings.json", "findings.csv", "junit.xml", "oscal.json"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "en" / name).read_bytes()


def test_rules_of_chinese_packs_are_in_chinese() -> None:
    """Not required of a catalogue, but a report on these packs is read by who reads Chinese."""
    messages = catalogue("zh-Hans")
    for pack in load_packs(["core", "cn-799", "chongqing-2009"]):
        titles = [control.title for control in pack.controls]
        assert sum(title in messages for title in titles) >= 0.7 * len(titles)


def test_chinese_numbers_and_days() -> None:
    words = load_language("zh-Hans")
    assert words.quantity(720.0, "hours") == "720\u00a0h (30 天)"
    assert words.date(factories.AS_OF.date()) == "2026年3月2日"
    assert words.gettext("") == ""
