"""The page in a real browser: nothing refused, nothing fetched, axe is content, the table works."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lenswatch.reports.html import write_html
from lenswatch.reports.language import load_language
from lenswatch.reports.summary import Summary
from tests.lenswatch.reports import factories

pytestmark = pytest.mark.system

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (apt-get install chromium): pages NOT looked at")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    words = load_language("en")
    return {
        name: write_html(Summary(made()), folder / f"{name}.html", words)
        for name, made in (("city", factories.city), ("hostile", factories.hostile))
    }


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [("city", "light", 1200), ("city", "dark", 390), ("hostile", "light", 390)],
)
def test_page_is_accessible_and_quiet(
    browser: Any, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    # axe is injected past the content policy; the page itself never is
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail("a name ran as script"))
    page.goto(pages[name].as_uri())
    found = axe.Axe().run(page).response["violations"]
    grave = [
        (item["id"], [node["target"] for node in item["nodes"]][:3])
        for item in found
        if item["impact"] in ("serious", "critical")
    ]
    assert grave == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, "the page scrolls sideways"
    context.close()


def test_nothing_is_refused_and_the_table_sorts_and_filters(
    browser: Any, pages: dict[str, Path]
) -> None:
    context = browser.new_context()
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(pages["city"].as_uri())
    shown = "#all-findings tbody tr:not([hidden])"
    total = page.locator(shown).count()
    page.fill("#filter-words", "cam-021")
    assert 0 < page.locator(shown).count() < total
    assert "cam-021" in page.locator(shown).first.inner_text()
    page.fill("#filter-words", "")
    page.select_option("#filter-verdict", "fail")
    assert page.locator(shown).count() == 23
    assert "23" in page.locator("#filter-count").inner_text()
    page.get_by_role("button", name="Measured").click()
    page.get_by_role("button", name="Measured").click()
    assert "720" in page.locator(shown).first.inner_text()
    header = page.locator("#all-findings th", has_text="Measured")
    assert header.get_attribute("aria-sort") == "descending"
    assert messages == []
    context.close()


def test_without_scripts_the_whole_table_is_there(browser: Any, pages: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["city"].as_uri())
    assert page.locator("#all-findings tbody tr").count() == len(factories.city().findings)
    assert not page.locator("#filters").is_visible()
    context.close()
