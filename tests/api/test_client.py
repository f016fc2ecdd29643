"""The client: every operation, the same types, and lines that break."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import tarfile
import tempfile
import time
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from typer.testing import CliRunner

from lenswatch.cli import app as command_line
from lenswatch.errors import EvidenceError, LenswatchError, UsageError
from lenswatch_api.audits.schemas import AuditQuery, NewAudit
from lenswatch_api.client import Client, ServiceError, ServiceUnreachable, operations
from lenswatch_api.client.operations import every
from lenswatch_api.client.packing import FolderArchive
from lenswatch_api.client.transfers import (
    deployment_named,
    fetch_reports,
    send_bundle,
    wait_for,
)
from lenswatch_api.deployments.schemas import NewDeployment
from lenswatch_api.findings.schemas import FindingQuery, Order
from lenswatch_api.paging import Page, PageQuery
from tests.api.conftest import DEPLOYMENT

_KEY = "lw_test"
_HEAD = f"{DEPLOYMENT.decode()}as_of: 2026-11-24T00:00:00Z\n"


class Through(httpx.BaseTransport):
    """Hands requests to the service in this process, and breaks the line when told to."""

    def __init__(self, service: TestClient) -> None:
        self._service = service
        self.breaks: dict[str, int] = {}
        """Method -> how many of its next requests are lost, before and after the service."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        left = self.breaks.get(request.method, 0)
        self.breaks[request.method] = max(left - 1, 0)
        if left % 2 == 1:
            raise httpx.ConnectError("the line broke before")
        headers = {k: v for k, v in request.headers.items() if k not in ("host", "connection")}
        answer = self._service.request(
            request.method, request.url.raw_path.decode(), content=body, headers=headers
        )
        if left:
            raise httpx.ReadError("the line broke after")
        kept = {k: v for k, v in answer.headers.items() if k != "content-encoding"}
        return httpx.Response(answer.status_code, headers=kept, content=answer.content)


@pytest.fixture(scope="module")
def through(client: TestClient) -> Through:
    return Through(client)


@pytest.fixture(scope="module")
def remote(client: TestClient, through: Through) -> Iterator[Client]:
    key = client.headers["Authorization"].removeprefix("Bearer ")
    with Client("http://127.0.0.1", key, transport=through) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = types.SimpleNamespace(sleep=lambda seconds: time.sleep(0.01), monotonic=time.monotonic)
    for module in ("transport", "transfers"):
        monkeypatch.setattr(f"lenswatch_api.client.{module}.time", quick)


# -- every operation, with the types of the service ---------------------------------------------


def _operations(client: TestClient) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    description = client.get("/api/v1/openapi.json").json()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method, path, operation


def _argument(name: str, kind: Any) -> Any:
    if name.endswith("_id"):
        return f"{name[:3]}_{'0' * 28}"
    if kind is int:
        return 1
    if kind is bytes:
        return b"x"
    if typing.get_origin(kind) is Sequence:
        return [b"x"]
    if kind is str:
        return "report.html"
    example = next(k for k in (*typing.get_args(kind), kind) if isinstance(k, type))
    assert issubclass(example, BaseModel), f"{name}: {kind}"
    return example.model_construct(**dict.fromkeys(example.model_fields))


def _use(result: Any) -> None:
    if isinstance(result, types.GeneratorType):
        list(result)
    with result:
        pass


def test_every_operation_is_a_method(client: TestClient) -> None:
    """Called with anything of the right kind, a method asks for what the description says."""
    for name, method, path, operation in _operations(client):
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request, asked: list[httpx.Request] = asked) -> httpx.Response:
            asked.append(request)
            return httpx.Response(418)

        call = getattr(
            Client("http://127.0.0.1", _KEY, transport=httpx.MockTransport(answer)), name
        )
        hints = typing.get_type_hints(getattr(Client, name), vars(operations))
        arguments = {
            parameter.name: _argument(parameter.name, hints[parameter.name])
            for parameter in inspect.signature(call).parameters.values()
            if parameter.default is parameter.empty
        }
        with pytest.raises(LenswatchError):
            _use(call(**arguments))
        assert asked[0].method == method.upper(), name
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        assert re.fullmatch(pattern, asked[0].url.path), f"{name}: {asked[0].url.path}"
        given = set(arguments) | set(inspect.signature(call).parameters)
        if "requestBody" in operation:
            assert asked[0].content or method == "patch", name
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                assert parameter["name"] in given, name
            if parameter["name"] == "Idempotency-Key":
                assert asked[0].headers["idempotency-key"], name


def _schema_name(kind: Any) -> Any:
    """How the description names the type that a method gives back."""
    if typing.get_origin(kind) is list:
        return [_schema_name(typing.get_args(kind)[0])]
    if issubclass(kind, Page):
        (item,) = kind.__pydantic_generic_metadata__["args"]
        return f"Page_{item.__name__}_"
    return kind.__name__


def test_answers_have_the_types_of_the_service(client: TestClient) -> None:
    compared = 0
    for name, _, _, operation in _operations(client):
        stated = next(r for status, r in operation["responses"].items() if status < "300")
        schema = stated.get("content", {}).get("application/json", {}).get("schema")
        returned = typing.get_type_hints(getattr(Client, name), vars(operations))["return"]
        if schema is None or "description" in schema:
            continue
        wanted = schema.get("$ref") or [schema["items"]["$ref"]]
        plain = [w.rpartition("/")[2] for w in ([wanted] if isinstance(wanted, str) else wanted)]
        assert _schema_name(returned) == (plain if isinstance(wanted, list) else plain[0]), name
        compared += 1
    assert compared >= 25


# -- lines that break ---------------------------------------------------------------------------


def test_an_answer_that_was_lost_makes_nothing_twice(remote: Client, through: Through) -> None:
    through.breaks = {"POST": 3, "GET": 2}
    made = remote.create_deployment(NewDeployment(name="Lost answers"))
    through.breaks = {}
    names = [d.name for d in every(remote.list_deployments, PageQuery(limit=1))]
    assert names.count("Lost answers") == 1
    assert deployment_named(remote, "Lost answers") == made


def test_a_line_that_stays_broken(remote: Client, through: Through) -> None:
    through.breaks = {"GET": 1000}
    with pytest.raises(ServiceUnreachable, match="does not answer"):
        remote.list_packs()
    through.breaks = {}


def _bundle(folder: Path, **behaviour: object) -> Path:
    (folder / "video/cam-1").mkdir(parents=True)
    lines = "".join(f"{name}: {value}\n" for name, value in behaviour.items())
    (folder / "deployment.yaml").write_text(f"{_HEAD}{lines}")
    (folder / "nodes.csv").write_text("node_id,kind\ncam-1,camera\n")
    (folder / "video/cam-1/long.bin").write_bytes(bytes(range(256)) * 700)
    return folder


def test_an_upload_over_a_bad_line(
    client: TestClient, remote: Client, through: Through, tmp_path: Path
) -> None:
    folder = _bundle(tmp_path / "bundle")
    name = "名前" * 40 + ".bin"  # a name that needs a header of its own
    (folder / "video/cam-1" / name).write_bytes(b"x" * 513)
    os.utime(folder / "nodes.csv", ns=(1, 1_700_000_000_123_456_789))
    deployment = deployment_named(remote, "Bad line")
    told: list[tuple[str, int, int]] = []

    def progress(stage: str, done: int, total: int) -> None:
        told.append((stage, done, total))
        through.breaks = {"PATCH": len(told) % 4, "HEAD": 1, "GET": 1}

    bundle_id = send_bundle(remote, deployment.id, folder, piece_bytes=20_001, progress=progress)
    through.breaks = {}
    made = remote.get_bundle(bundle_id)
    assert (made.files, made.deployment_id) == (4, deployment.id)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    kept = client.app.state.service.settings.evidence / bundle_id  # type: ignore[attr-defined]
    for path in folder.rglob("*"):
        if path.is_file():
            there = kept / path.relative_to(folder)
            assert there.read_bytes() == path.read_bytes()
            assert abs(there.stat().st_mtime_ns - path.stat().st_mtime_ns) < 1000


def test_an_audit_from_here(remote: Client, tmp_path: Path) -> None:
    folder = _bundle(tmp_path / "bundle", findings=7, seconds=1)
    deployment = deployment_named(remote, "From here")
    bundle_id = send_bundle(remote, deployment.id, folder)
    audit = remote.start_audit(NewAudit(bundle_id=bundle_id))
    stages: list[str] = []
    ended = wait_for(remote, audit.id, lambda stage, *_: stages.append(stage))
    assert ended.progress.state == "succeeded"
    assert "pretending" in stages
    assert (
        len(
            list(
                every(
                    lambda q: remote.list_findings(audit.id, q),
                    FindingQuery(sort=Order.CONTROL, limit=2),
                )
            )
        )
        == 7
    )
    written = fetch_reports(remote, audit.id, tmp_path / "out")
    assert {path.name for path in written} == {"findings.json", "report.html"}
    assert (tmp_path / "out/report.html").read_text().startswith("<!doctype html>")


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server", ["http://audits.example.org", "ftp://x", "audits.example.org", "https://a:b@c", ""]
)
def test_addresses_that_are_refused(server: str) -> None:
    with pytest.raises(UsageError):
        Client(server, _KEY)


def test_errors_speak_the_words_of_the_service(remote: Client) -> None:
    with pytest.raises(ServiceError, match="There is no bundle") as caught:
        remote.get_bundle(f"bun_{'0' * 28}")
    assert (caught.value.status, caught.value.kind) == (404, "not-found")
    with pytest.raises(ServiceError, match="404"):
        remote.get_upload_offset(f"upl_{'0' * 28}")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(302, headers={"Location": "https://elsewhere.test"}), "answered 302"),
        (httpx.Response(200, text="<html>"), "does not understand"),
        (httpx.Response(502, text="Bad gateway"), "answered 502"),
    ],
)
def test_answers_of_something_else(answer: httpx.Response, words: str) -> None:
    made = Client("http://127.0.0.1", _KEY, transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(ServiceUnreachable, match=words):
        made.list_packs()


def test_reports_are_checked(tmp_path: Path) -> None:
    def answer(request: httpx.Request, name: str = "report.html") -> httpx.Response:
        if request.url.path.endswith("/reports"):
            report = {"name": name, "media_type": "text/html", "bytes": 1, "sha256": "0" * 64}
            return httpx.Response(200, json=[report])
        return httpx.Response(200, content=b"changed")

    made = Client("http://127.0.0.1", _KEY, transport=httpx.MockTransport(answer))
    with pytest.raises(ServiceUnreachable, match="arrived changed"):
        fetch_reports(made, "aud_1", tmp_path / "out")
    outside = httpx.MockTransport(lambda request: answer(request, "../../escaped"))
    with pytest.raises(ServiceUnreachable, match="outside"):
        fetch_reports(Client("http://127.0.0.1", _KEY, transport=outside), "a", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


# -- the archive --------------------------------------------------------------------------------


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=6), st.integers(1, 5000))
def test_the_archive_is_the_same_from_every_offset(sizes: list[int], step: int) -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number, size in enumerate(sizes):
            (folder / f"{number}").write_bytes(bytes([number]) * size)
        archive = FolderArchive(folder)
        whole = archive.read(0, archive.length)
        assert len(whole) == archive.length
        assert whole == b"".join(
            archive.read(offset, step) for offset in range(0, archive.length, step)
        )
        path = folder.with_suffix(".tar")
        path.write_bytes(whole)
        stack.callback(path.unlink)
        with tarfile.open(path) as opened:
            assert {entry.name: entry.size for entry in opened} == {
                f"{number}": size for number, size in enumerate(sizes)
            }


def test_links_are_not_sent(tmp_path: Path) -> None:
    folder = _bundle(tmp_path / "bundle")
    (folder / "inside").symlink_to("nodes.csv")
    assert FolderArchive(folder).files == 4
    (folder / "outside").symlink_to("/etc/passwd")
    with pytest.raises(EvidenceError, match="outside"):
        FolderArchive(folder)


def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    folder = _bundle(tmp_path / "bundle")
    archive = FolderArchive(folder)
    (folder / "video/cam-1/long.bin").write_bytes(b"short")
    with pytest.raises(EvidenceError, match="shorter"):
        archive.sha256()


# -- the command line ---------------------------------------------------------------------------


@pytest.fixture
def run(remote: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    # the key goes through the environment, the service through the client of the module
    monkeypatch.setenv("LENSWATCH_API_KEY", _KEY)
    monkeypatch.setattr("lenswatch_api.client.Client", lambda server, key: remote)
    monkeypatch.setattr(remote, "close", lambda: None)

    def call(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(command_line, [*words, "--server", "http://127.0.0.1"])
        if isinstance(result.exception, LenswatchError):
            assert code == 2, result.exception
            return str(result.exception)
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    return call


def test_the_command_line_against_a_service(run: Any, remote: Client, tmp_path: Path) -> None:
    folder = _bundle(tmp_path / "bundle", findings=6)
    out = tmp_path / "out"
    text = run("audit", str(folder), "--out", str(out), code=1)
    assert "Score 40.0" in text
    assert "core/faces" in text
    assert {path.name for path in out.iterdir()} == {"findings.json", "report.html"}
    assert "core/faces" in run("fetch", "latest", code=1)
    newest = remote.list_audits(AuditQuery(limit=1)).items[0]
    assert run("fetch", newest.id, code=1).count("-30.0  core/faces") == 0
    assert remote.get_deployment(newest.deployment_id).name == "Rivertown"
    run("audit", str(folder), "--out", str(out), "--deployment", "Other", code=1)
    assert remote.list_audits().items[0].deployment_id != newest.deployment_id
    assert "no such pack" in run("audit", str(folder), "--policy", "mine.yaml", code=2)
    assert "aud_" in run("compare", "a", "b", code=2)
    assert "--language" in run("audit", str(folder), "--language", "zh-Hans", code=2)
    assert "There is no audit" in run("fetch", f"aud_{'0' * 28}", code=2)


def test_the_key_is_never_an_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LENSWATCH_API_KEY", raising=False)
    words = ["fetch", "latest", "--server", "http://127.0.0.1:9"]
    result = CliRunner().invoke(command_line, words)
    assert "LENSWATCH_API_KEY" in str(result.exception)
    (tmp_path / "key").write_text("two words\n")
    result = CliRunner().invoke(command_line, [*words, "--key-file", str(tmp_path / "key")])
    assert "not one" in str(result.exception)
    assert "two words" not in str(result.exception)
    helps = CliRunner().invoke(command_line, ["audit", "--help"]).output
    assert "--key " not in helps
