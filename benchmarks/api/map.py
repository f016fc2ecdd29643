"""The map of 500,000 cameras in headless Chromium: time until usable, frames while it is moved.

``python -m benchmarks.api.map [CAMERAS]`` prints JSON. Frames are counted in Chromium's own trace
(``DrawFrame`` of the compositor), not by the page.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.api.city import make_city
from lenswatch_api.app import create_app
from lenswatch_api.settings import Limits, Settings


def main(cameras: int = 500_000) -> dict[str, Any]:
    """Serve a city, open its map, move it for some seconds by each means."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), limits=Limits(requests_per_minute=10**6))
        key, audit_id, database = make_city(settings, cameras, 0)
        database.close()
        server = uvicorn.Server(uvicorn.Config(create_app(settings), port=8392, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        try:
            return {"cameras": cameras, **_measure(key, audit_id)}
        finally:
            server.should_exit = True
            thread.join()


def _measure(key: str, audit_id: str) -> dict[str, Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto("http://127.0.0.1:8392/sign-in")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("http://127.0.0.1:8392/")
        url = f"http://127.0.0.1:8392/audits/{audit_id}/map"
        usable = []
        for _ in range(3):
            page.goto(url)
            expect(page.locator("[data-map-status]")).to_contain_text("cameras in view")
            # since the navigation began, said by the page after its first picture
            mark = page.evaluate("performance.getEntriesByName('map-drawn')[0].startTime")
            usable.append(mark / 1000)
        results: dict[str, Any] = {"usable_seconds": [round(value, 2) for value in usable]}
        for name, move in (("pan", _pan), ("zoom", _zoom)):
            browser.start_tracing(
                page=page, categories=["disabled-by-default-devtools.timeline.frame", "cc",
                                       "devtools.timeline"],
            )  # fmt: skip
            move(page)
            trace = json.loads(browser.stop_tracing())
            results[name] = _frames(trace["traceEvents"])
        browser.close()
    return results


def _pan(page: Page) -> None:
    """Drag to and fro with a finger; Chromium itself makes the events, as fast as it draws."""
    for distance in (300, -300, 300, -300):
        _gesture(page, "Scroll", xDistance=distance, yDistance=distance / 2, speed=500)


def _zoom(page: Page) -> None:
    """Turn the wheel to and fro."""
    for distance in (600, -600, 600, -600):
        _gesture(page, "Scroll", yDistance=distance, speed=500, gestureSourceType="mouse")


def _gesture(page: Page, kind: str, **settings: Any) -> None:
    session = page.context.new_cdp_session(page)
    place = {"x": 640, "y": 500, "gestureSourceType": "touch"}
    session.send(f"Input.synthesize{kind}Gesture", {**place, **settings})
    session.detach()


def _frames(events: list[dict[str, Any]]) -> dict[str, float]:
    """Frames a second, and the longest gaps, between the first and the last drawn frame."""
    drawn = sorted({event["ts"] for event in events if event["name"] == "DrawFrame"})
    gaps = sorted(after - before for before, after in itertools.pairwise(drawn))
    scripts = sorted(
        event["dur"] for event in events if event["name"] == "FireAnimationFrame" and "dur" in event
    )
    seconds = (drawn[-1] - drawn[0]) / 1e6
    return {
        "frames_per_second": round((len(drawn) - 1) / seconds, 1),
        "script_median_ms": round(scripts[len(scripts) // 2] / 1000, 1),
        "gap_p95_ms": round(gaps[int(0.95 * len(gaps))] / 1000, 1),
        "longest_gap_ms": round(gaps[-1] / 1000, 1),
    }


if __name__ == "__main__":
    print(json.dumps(main(*(int(value) for value in sys.argv[1:2])), indent=2))
