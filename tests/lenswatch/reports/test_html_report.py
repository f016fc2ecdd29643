from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lenswatch.model import Verdict
from lenswatch.policy import PolicyException
from lenswatch.reports import charts
from lenswatch.reports.html import write_html
from lenswatch.reports.language import load_language
from lenswatch.reports.summary import LISTED_FINDINGS, SUBJECTS_PER_CONTROL, Summary
from lenswatch.result import AuditResult
from tests.lenswatch.reports import factories

_VOID = {"meta", "link", "input", "br", "img"}


class Page(HTMLParser):
    """Tags, ids, attributes and text of a page; notices tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_text(result: AuditResult, folder: Path, language: str = "en") -> str:
    path = write_html(Summary(result), folder / "report.html", load_language(language))
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_text(factories.city(), tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_text(factories.hostile(), tmp_path_factory.mktemp("hostile"))


def test_page_is_well_formed_and_ids_are_unique(city: str) -> None:
    page = Page(city)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        target = attributes.get("href") or ""
        if target.startswith("#"):
            assert target[1:] in ids
        for name in (attributes.get("aria-labelledby") or "").split():
            assert name in ids


def test_the_result_stands_first_and_in_words(city: str) -> None:
    text = Page(city).text
    result = factories.city()
    assert f"At least {result.score.low:.1f} of 100 points" in text
    assert f"at most {result.score.high:.1f}" in text
    assert text.index("of 100 points") < text.index("What must change")
    assert "10 cases could not be checked" in text


def test_everything_an_auditor_asks_is_there(city: str) -> None:
    text = Page(city).text
    for wanted in (
        "Mask faces in the camera",  # remedy
        "video/cam-021/clip.mp4",  # place of evidence
        "00:00:04 to 00:00:09",
        "5 fail: 3 proven, 2 inferred",  # never one number
        "95% sure: 15% to 37.5%",
        "certainly at least 720",
        "There is no video of this camera.",
        "Add a clip of at least 60 seconds",
        "flows/router-2.ipfix@10240",
        "Court order 17/2026",
        "30 June 2026",
        "Hikvision",
        "Jiangbei",
        "clopper-pearson",
        factories.PACK.digest,
        "known from secondary sources",
        "sha256:" + "cd" * 32,
    ):
        assert wanted in text, wanted


def test_page_requests_nothing(city: str) -> None:
    page = Page(city)
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "action", "data", "poster", "background"):
            assert name not in attributes, (tag, name)
        assert not (attributes.get("href") or "").startswith(("http", "//"))
        assert "style" not in attributes, "the content policy forbids style attributes"
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in city
    assert "@import" not in city


def policy(page: str) -> str:
    found = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert found
    return found[1].replace("&#39;", "'")


@pytest.mark.parametrize("element", ["style", "script"])
def test_content_policy_allows_only_our_own_inline_blocks(element: str, hostile: str) -> None:
    blocks = re.findall(f"<{element}>(.*?)</{element}>", hostile, re.DOTALL)
    assert len(blocks) == 1
    digest = base64.b64encode(hashlib.sha256(blocks[0].encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy(hostile).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules[f"{element}-src"] == f"'sha256-{digest}'"


def test_hostile_names_stay_text(hostile: str, city: str) -> None:
    page = Page(hostile)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(city).tags}
    assert "<script>alert" not in hostile
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not any(
        (attributes.get("href") or "#").startswith("javascript") for _, attributes in page.tags
    )
    assert "{{ 7*7 }}" in page.text


def test_same_result_same_page(city: str, tmp_path: Path) -> None:
    assert page_text(factories.city(), tmp_path) == city


def test_page_without_findings(tmp_path: Path) -> None:
    text = Page(page_text(factories.result([]), tmp_path)).text
    assert "There was nothing to judge" in text


def test_clean_page_says_so(tmp_path: Path) -> None:
    findings = [
        factories.finding(control, f"node:cam-{row:03d}", Verdict.PASS)
        for control in factories.PACK.controls
        for row in range(30)
    ]
    text = Page(page_text(factories.result(findings), tmp_path)).text
    assert "100.0 of 100 points" in text
    assert "No rule was found broken, and everything asked was checked." in text


def test_many_findings_are_summed_up(tmp_path: Path) -> None:
    nodes = factories.inventory(6000)
    findings = [
        factories.finding(
            factories.FACES,
            f"node:cam-{row:03d}",
            Verdict.FAIL if row % 2 else Verdict.PASS,
            measured=row / 6000,
            limit=0.0,
        )
        for row in range(6000)
    ]
    text = page_text(factories.result(findings, nodes), tmp_path)
    page = Page(text)
    assert text.count("<tr data-verdict=") == LISTED_FINDINGS
    assert '<tr data-verdict="pass"' not in text
    assert f"The table holds the {LISTED_FINDINGS:,} gravest of 6,000 findings" in page.text
    assert f"The {SUBJECTS_PER_CONTROL} gravest of 3,000; all stand in findings.csv" in page.text
    assert "cells are" in page.text  # the map is a grid
    assert len(text) < 3_000_000


def test_reasons_are_grouped_and_bounded(tmp_path: Path) -> None:
    findings = [
        factories.finding(
            factories.FACES, f"node:cam-{row:03d}", Verdict.INCONCLUSIVE, f"Reason {chr(65 + row)}."
        )
        for row in range(30)
    ]
    summary = Summary(factories.result(findings))
    reasons = summary.controls[factories.FACES.id].open_reasons
    assert sum(reason.count for reason in reasons.values()) == 30
    assert len(reasons) <= 13
    assert "other reasons, in findings.csv" in page_text(factories.result(findings), tmp_path)


def test_an_exception_for_a_whole_rule_says_what_it_covers(tmp_path: Path) -> None:
    exception = PolicyException(
        factories.FACES.id, "*", "Trial run", "Officer", factories.AS_OF.date()
    )
    findings = [
        factories.finding(factories.FACES, f"node:cam-{row:03d}", Verdict.EXCEPTED)
        for row in range(4)
    ]
    result = factories.result(findings, factories.inventory(4), exceptions=(exception,))
    text = Page(page_text(result, tmp_path)).text
    assert "everywhere (4 cases)" in text
    assert "4 failures are excepted until a date" in text


def test_failures_outside_the_inventory_are_told(tmp_path: Path) -> None:
    findings = [factories.finding(factories.CENTRAL, "node:unlisted", Verdict.FAIL)]
    text = Page(page_text(factories.result(findings), tmp_path)).text
    assert "1 failure is about something that the inventory does not list" in text


def test_sensitivity_to_the_weights_is_told(city: str) -> None:
    assert "If the weight of each rule were anything from half to twice as large" in city


def test_rules_without_any_finding_are_listed_as_unchecked(tmp_path: Path) -> None:
    """The score counts subjects that nobody looked at; the page must say which rules they are."""
    text = Page(page_text(factories.result([]), tmp_path)).text
    assert "90 more cases, about which the evidence says nothing at all" in text
    unchecked = text[text.rindex("What could not be checked") :]
    for control in factories.PACK.controls:
        assert f"{control.title} 30 the evidence says nothing about them" in unchecked


def test_reasons_that_differ_in_numbers_are_one(tmp_path: Path) -> None:
    findings = [
        factories.finding(
            factories.FACES,
            f"node:cam-{row:03d}",
            Verdict.INCONCLUSIVE,
            f"Only {row + 1}.{row} s of video.",
        )
        for row in range(30)
    ]
    summary = Summary(factories.result(findings))
    (reason,) = summary.controls[factories.FACES.id].open_reasons.values()
    assert (reason.reason, reason.count) == ("Only 1.0 s of video.", 30)
    # the remedy of the rule would not settle the question; more evidence would
    assert "more video of these cameras" in page_text(factories.result(findings), tmp_path)


def test_gravest_failures_come_first() -> None:
    findings = [
        factories.finding(
            factories.RETENTION,
            f"node:cam-{row:05d}",
            Verdict.FAIL,
            measured=100.0 + (row * 7919) % 10_007,
            limit=72.0,
        )
        for row in range(5000)
    ]
    summary = Summary(factories.result(findings, factories.inventory(10)))
    shown = [item.measured for item in summary.controls[factories.RETENTION.id].failed]
    expected = sorted((item.measured or 0 for item in findings), reverse=True)
    assert shown == expected[:SUBJECTS_PER_CONTROL]


def test_inventory_without_places_or_makers(tmp_path: Path) -> None:
    import pyarrow as pa

    from lenswatch.evidence.inventory import Inventory

    nodes = Inventory(pa.table({"node_id": ["cam-000"], "kind": ["camera"]}))
    findings = [factories.finding(factories.FACES, "node:cam-000", Verdict.PASS)]
    text = Page(page_text(factories.result(findings, nodes), tmp_path)).text
    assert "names no districts, vendors, models or positions" in text


@pytest.mark.parametrize("positions", [[], [29.5], [29.5, 29.5], [float("nan"), 29.5], [91.0]])
def test_map_of_few_or_odd_positions(positions: list[float]) -> None:
    import numpy as np

    lat = np.array(positions)
    drawn = charts.city_map(lat, lat + 70, np.zeros(len(lat), np.int8), label="map")
    usable = np.isfinite(lat) & (np.abs(lat) <= 90)
    assert (drawn is None) == (not usable.any())
    if drawn is not None:
        assert drawn.cameras == int(usable.sum())
        assert "nan" not in drawn.svg
        assert "inf" not in drawn.svg


def test_map_marks_the_worst_verdict() -> None:
    import numpy as np

    lat, lon = np.array([29.5, 29.6, 29.7]), np.array([106.5, 106.6, 106.7])
    drawn = charts.city_map(lat, lon, np.array([0, 3, -1], np.int8), label="map")
    assert drawn is not None
    assert drawn.svg.count("v-fail") == 1
    assert drawn.svg.count("v-pass") == 1
    assert drawn.svg.count('class="none"') == 1
