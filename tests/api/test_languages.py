"""The pages speak the languages of the reports, all of them whole."""

from __future__ import annotations

import re

import pytest
from babel.messages.extract import extract_from_dir
from fastapi.testclient import TestClient

from lenswatch.reports.language import languages
from lenswatch_api.pages.language import NAMES, page_language
from lenswatch_api.pages.rendering import environment
from tests.api.conftest import ROOT

_PAGES = ROOT / "api" / "lenswatch_api" / "pages"


def test_every_language_of_the_reports_has_a_name_and_a_catalogue() -> None:
    assert set(NAMES) == set(languages())
    assert {path.stem for path in (_PAGES / "locale").glob("*.po")} == set(NAMES) - {"en"}


@pytest.mark.parametrize("code", [code for code in NAMES if code != "en"])
def test_nothing_is_left_untranslated_and_placeholders_agree(code: str) -> None:

    messages = {
        message
        for _, _, message, _, _ in extract_from_dir(
            str(_PAGES), method_map=[("templates/**.html", "jinja2"), ("rendering.py", "python")]
        )
        if isinstance(message, str) and message
    }
    assert len(messages) > 100
    language = page_language(code)
    missing = [message for message in messages if language.gettext(message) == message]
    assert missing == []
    for message in messages:
        for pattern in (r"%\(\w+\)s", r"\{\w+\}"):
            wanted = sorted(re.findall(pattern, message))
            assert sorted(re.findall(pattern, language.gettext(message))) == wanted, message


def test_every_template_compiles_in_every_language() -> None:
    for code in NAMES:
        made = environment(code)
        for name in made.list_templates():
            made.get_template(name)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("en-GB,zh;q=0.5", "en"),
        ("zh-TW,en;q=0.5", "en"),  # traditional characters are another script
        ("zh-TW,zh;q=0.5", "zh-Hans"),
        ("fr, zh;q=0.1", "zh-Hans"),
        ("zh;q=0", "en"),
        ("*;q=x,\x7f;;,====", "en"),
        ("a" * 100_000, "en"),
    ],
)
def test_the_browser_decides_until_the_visitor_does(
    client: TestClient, accepted: str, language: str
) -> None:
    client.cookies.clear()
    answer = client.get("/sign-in", headers={"Accept-Language": accepted})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text


def test_the_visitor_chooses(client: TestClient) -> None:
    def choose(to: str, back: str) -> tuple[int, str]:
        answer = client.post(
            "/language",
            data={"to": to, "back": back},
            headers={"Origin": "http://127.0.0.1"},
            follow_redirects=False,
        )
        return answer.status_code, answer.headers.get("location", "")

    assert choose("zh-Hans", "/sign-in") == (303, "/sign-in")
    text = client.get("/sign-in", headers={"Accept-Language": "en"}).text
    assert "登录" in text
    for elsewhere in ("//evil.test", "https://evil.test", "/\\evil.test", "/\r\nX: y", "x"):
        assert choose("en", elsewhere) == (303, "/")
    assert choose("xx", "/sign-in")[0] == 303
    assert client.get("/sign-in").headers["content-language"] == "en"
    client.cookies.clear()
