"""The pages, driven in a real browser: upload, live audit, score, findings, for each role."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lenswatch_api.authorization import SCOPES, Role, Scope
from tests.api.conftest import make_tar
from tests.api.running_process import RunningProcess

_VIEWS = ("map", "sinks", "retention", "end-use", "comparison")
_CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProcess]:
    service = RunningProcess(tmp_path_factory.mktemp("pages") / "data", "")
    service.start()
    service.wait_until_up()
    service.read_key()
    yield service
    service.client.close()
    service.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if _CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def _sign_in(browser: Browser, service: RunningProcess, key: str) -> tuple[Page, list[str]]:
    page = browser.new_context(base_url=str(service.client.base_url)).new_page()
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    errors: list[str] = []
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/")
    page.wait_for_url("**/sign-in")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Deployments")).to_be_visible()
    return page, errors


def _admin_key(service: RunningProcess) -> str:
    return str(service.client.headers["Authorization"]).removeprefix("Bearer ")


def _upload(page: Page, archive: Path) -> None:
    """Upload on the page of a deployment, and follow the audit to its end."""
    page.get_by_label(re.compile("Bundle")).set_input_files(archive)
    page.get_by_role("button", name="Upload and audit").click()
    page.wait_for_url("**/audits/aud_*")
    expect(page.locator("[data-score]")).to_have_text("40.0")


def _archive(path: Path, settings: str) -> Path:
    content = f"name: x\n{settings}".encode()
    path.write_bytes(make_tar({"city/deployment.yaml": content, "city/nodes.csv": b""}))
    return path


@pytest.fixture(scope="module")
def audited(
    browser: Browser, service: RunningProcess, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The address of an audit that was started, and followed, in the browser."""
    folder = tmp_path_factory.mktemp("upload")
    first = _archive(folder / "first.tar.gz", "findings: 120\n")
    slow = _archive(folder / "slow.tar.gz", "findings: 120\nseconds: 2\nsteps: 8\n")
    page, errors = _sign_in(browser, service, _admin_key(service))
    page.get_by_label("Name").fill("Rivertown <b>")
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url("**/deployments/dep_*")
    deployment = page.url
    expect(page.get_by_role("heading", name="Rivertown <b>")).to_be_visible()
    _upload(page, first)
    page.goto(deployment)
    _upload(page, slow)
    assert errors == []
    return page.url.removeprefix(str(service.client.base_url))


@pytest.mark.system
def test_from_score_to_a_camera(browser: Browser, service: RunningProcess, audited: str) -> None:
    page, errors = _sign_in(browser, service, _admin_key(service))
    page.goto(audited)
    expect(page.get_by_text("Grade E")).to_be_attached()
    with page.expect_download() as download:
        page.get_by_role("link", name="report.html").click()
    assert "Fine." in Path(download.value.path()).read_text()
    page.get_by_role("link", name="What failed").click()
    expect(page.locator("tbody tr")).to_have_count(40)
    page.get_by_label("Vendor").fill("Acme Optics")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(20)
    page.goto(f"{audited}/findings")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Next page").click()
    page.wait_for_url("**cursor=**")
    page.locator("tbody th a").first.click()
    page.wait_for_url("**/subjects/**")
    expect(page.get_by_text("Numbers only")).to_be_visible()
    assert page.locator("img, video, canvas").count() == 0
    assert errors == []
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(audited)
    page.wait_for_url("**/sign-in")


@pytest.mark.system
@pytest.mark.parametrize("role", [role for role in Role if Scope.FINDINGS_READ in SCOPES[role]])
def test_each_role_goes_as_far_as_it_may(
    browser: Browser, service: RunningProcess, audited: str, role: Role, tmp_path: Path
) -> None:
    """Upload, audit, findings, report, comparison."""
    wanted = {"name": role.value, "role": role.value}
    if role is Role.VENDOR:
        wanted["vendor"] = "Acme Optics"
    key = service.client.post("/api/v1/keys", json=wanted).json()["secret"]
    page, errors = _sign_in(browser, service, key)
    may_write = Scope.EVIDENCE_WRITE in SCOPES[role]
    sees_all = role is not Role.VENDOR
    assert page.get_by_role("button", name="Make it").is_visible() == may_write
    if may_write:
        page.get_by_label("Name").fill(f"City of {role}")
        page.get_by_role("button", name="Make it").click()
        page.wait_for_url("**/deployments/dep_*")
        deployment = page.url
        _upload(page, _archive(tmp_path / "a.tar.gz", "findings: 120\n"))
        page.goto(deployment)
        _upload(page, _archive(tmp_path / "b.tar.gz", "findings: 120\nbetter: True\n"))
        here, failed, better = page.url, 0, 20
    else:
        here, failed, better = audited, 40 if sees_all else 20, 0
        page.goto(here)
    expect(page.get_by_role("link", name="What failed")).to_be_visible()
    assert page.locator("[data-score]").is_visible() == sees_all
    assert page.get_by_role("link", name="report.html").is_visible() == sees_all
    if sees_all:
        with page.expect_download() as download:
            page.get_by_role("link", name="report.html").click()
        assert "Fine." in Path(download.value.path()).read_text()
    page.get_by_role("link", name="What failed").click()
    if failed:
        expect(page.locator("tbody tr")).to_have_count(failed)
    else:
        expect(page.get_by_text("No finding fits.")).to_be_visible()
    page.get_by_role("link", name="Comparison").click()
    page.wait_for_url("**/comparison")
    expect(page.get_by_role("heading", name="Rule by rule")).to_be_visible()
    expect(page.locator("tbody .verdict.pass", has_text="better")).to_have_count(2 if better else 0)
    assert page.locator("[data-after]").is_visible() == sees_all
    assert page.get_by_role("link", name="Map").is_visible() == sees_all
    assert errors == []


@pytest.mark.system
def test_the_map_by_mouse_keyboard_and_table(
    browser: Browser, service: RunningProcess, audited: str
) -> None:
    page, errors = _sign_in(browser, service, _admin_key(service))
    page.goto(f"{audited}/map")
    expect(page.locator("[data-ready]")).to_be_visible()
    status = page.locator("[data-map-status]")
    expect(status).to_have_text("120 of 120 cameras in view")
    box = page.locator("[data-map]").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.wheel(0, -1500)
    expect(status).not_to_have_text("120 of 120 cameras in view")
    page.locator("[data-map]").focus()
    page.keyboard.press("0")
    expect(status).to_have_text("120 of 120 cameras in view")
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    expect(status).to_have_text("0 of 120 cameras in view")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"], middle[1], steps=3)
    page.mouse.up()
    page.get_by_role("button", name="Show all").click()
    expect(status).to_have_text("120 of 120 cameras in view")
    expect(page.locator("tbody tr")).to_have_count(2)
    # the first place of the file leads to its camera
    page.goto(f"{audited}/map/0")
    page.wait_for_url("**/subjects/node:cam-*")
    answer = page.goto(f"{audited}/map/120")
    assert answer is not None
    assert answer.status == 404
    assert [error for error in errors if "404" not in error] == []


@pytest.mark.system
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(
    browser: Browser, service: RunningProcess, audited: str, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    page, _ = _sign_in(browser, service, _admin_key(service))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 390, "height": 800})
    deployment = service.client.get("/api/v1/deployments").json()["items"][0]["id"]
    subject = f"{audited}/subjects/node:cam-7"
    for path in (
        "/",
        f"/deployments/{deployment}",
        audited,
        f"{audited}/findings",
        subject,
        *(f"{audited}/{page}" for page in _VIEWS),
    ):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{path} is {width} pixels wide"
        found = Axe().run(page)
        violations = found.response["violations"]
        assert violations == [], [
            (path, item["id"], item["nodes"][0]["html"]) for item in violations
        ]


def test_pages_need_a_session_and_the_same_origin(client: TestClient, audit_id: str) -> None:
    key = client.headers["Authorization"].removeprefix("Bearer ")
    base = "http://127.0.0.1"
    here = f"/audits/{audit_id}"
    for path in ("/", here, f"{here}/findings", *(f"{here}/{view}" for view in _VIEWS)):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")

    foreign = client.post("/sign-in", data={"key": key}, headers={"Origin": "http://evil.test"})
    assert foreign.status_code == 403
    wrong = client.post("/sign-in", data={"key": "lw_wrong"}, headers={"Origin": base})
    assert wrong.status_code == 401
    assert "lw_wrong" not in wrong.text
    answer = client.post(
        "/sign-in", data={"key": key}, headers={"Origin": base}, follow_redirects=False
    )
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie

    def send(**headers: str) -> httpx.Response:
        return client.post(  # type: ignore[return-value]
            "/api/v1/deployments", json={"name": "x"}, headers={"Authorization": "", **headers}
        )

    assert send().status_code == 403  # the cookie alone
    assert send(Origin="http://evil.test").status_code == 403
    assert send(**{"Sec-Fetch-Site": "cross-site", "Origin": base}).status_code == 403
    assert send(Origin=base).status_code == 201
    html = {"Accept": "text/html", "Authorization": ""}
    for path, status in (
        (f"/audits/{audit_id}/subjects/node:nowhere", 404),
        (f"/audits/aud_{'0' * 28}", 404),
        ("/audits/nonsense", 422),
        ("/no/such/page", 404),
        (f"/audits/{audit_id}/findings?sort=x", 422),
        (f"/audits/{audit_id}/findings?cursor=x", 422),
    ):
        answer = client.get(path, headers=html)
        assert answer.status_code == status, path
        assert answer.headers["content-type"].startswith("text/html"), path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert client.get("/api/v1/nothing", headers=html).json()["status"] == 404
    client.cookies.clear()
