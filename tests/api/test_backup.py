"""A backup of a service that runs, and its restoration into an empty place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lenswatch.errors import UsageError
from lenswatch_api.backup import back_up, restore
from lenswatch_api.settings import Settings
from tests.api.conftest import bundle, new_deployment, start_audit, upload, wait_for
from tests.api.postgresql import running_server
from tests.api.running_process import RunningProcess


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def databases(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    if request.param == "sqlite":
        yield "", ""
        return
    with running_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{server.programs}:{os.environ['PATH']}")
        yield server.database("first"), server.database("second")


def _running(data: Path, database: str) -> RunningProcess:
    service = RunningProcess(data, database)
    service.start()
    service.wait_until_up()
    return service


def test_a_backup_under_load_is_whole_elsewhere(tmp_path: Path, databases: tuple[str, str]) -> None:
    service = _running(tmp_path / "first", databases[0])
    service.read_key()
    client = service.client
    finished = start_audit(client, bundle(findings=40))  # type: ignore[arg-type]
    wait_for(client, finished)  # type: ignore[arg-type]
    gone = upload(client, bundle())  # type: ignore[arg-type]
    assert client.delete(f"/api/v1/bundles/{gone}").status_code == 204
    slow = start_audit(client, bundle(findings=5, seconds=6, steps=60))  # type: ignore[arg-type]
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            upload(client, bundle(), new_deployment(client))  # type: ignore[arg-type]

    thread = threading.Thread(target=disturb)
    thread.start()
    settings = Settings(data=tmp_path / "first", database_url=databases[0])
    try:
        contents = back_up(settings, tmp_path / "backup.tar")
    finally:
        stop.set()
        thread.join()
    assert contents.audits == 1
    findings = client.get(f"/api/v1/audits/{finished}/findings").json()
    report = client.get(f"/api/v1/audits/{finished}/reports/report.html").content
    key = client.headers["Authorization"]
    wait_for(client, slow)  # type: ignore[arg-type]
    service.end(signal.SIGTERM)
    client.close()

    elsewhere = replace(settings, data=tmp_path / "second", database_url=databases[1])
    put_back = restore(elsewhere, tmp_path / "backup.tar")
    assert put_back.audits == 1
    before, after = (tmp_path / name / "evidence" for name in ("first", "second"))
    copied = [path.relative_to(after) for path in after.rglob("*") if path.is_file()]
    assert len(copied) == 2 * put_back.bundles
    for path in copied:
        assert (after / path).read_bytes() == (before / path).read_bytes()
        assert (after / path).stat().st_mtime_ns == (before / path).stat().st_mtime_ns

    service = _running(tmp_path / "second", databases[1])
    client = service.client
    client.headers["Authorization"] = key  # the keys are those of the backup
    assert client.get(f"/api/v1/audits/{finished}/findings").json() == findings
    assert client.get(f"/api/v1/audits/{finished}/reports/report.html").content == report
    assert client.get(f"/api/v1/bundles/{gone}").json()["deleted_at"] is not None
    # the audit that ran while the backup was made runs again to its end
    assert wait_for(client, slow)["progress"]["state"] == "succeeded"  # type: ignore[arg-type]
    client.close()
    service.kill()

    with pytest.raises(UsageError, match="not empty"):
        restore(elsewhere, tmp_path / "backup.tar")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a small service that does not run."""
    folder = tmp_path_factory.mktemp("made")
    service = _running(folder / "data", "")
    service.read_key()
    upload(service.client, bundle())  # type: ignore[arg-type]
    service.client.close()
    service.kill()
    back_up(Settings(data=folder / "data"), folder / "backup.tar")
    return folder


def test_a_damaged_backup_leaves_nothing_behind(made: Path, tmp_path: Path) -> None:
    whole = (made / "backup.tar").read_bytes()
    place = whole.index(b"name: Rivertown")
    damaged = {
        "cut off": whole[: len(whole) // 2],
        "without its end": whole[: whole.index(b"end.json") - 1536],
        "one bit": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
        "climbing out": whole.replace(b"/deployment.yaml", b"/../../../x.yaml"),
        "empty": b"",
        "no tar": b"nonsense" * 1000,
    }
    for name, content in damaged.items():
        source = tmp_path / "damaged.tar"
        source.write_bytes(content)
        with pytest.raises(UsageError):
            restore(Settings(data=tmp_path / "out" / "data"), source)
        assert list(tmp_path.glob("out/*")) == [], name


def test_what_cannot_be_backed_up(made: Path, tmp_path: Path) -> None:
    settings = Settings(data=made / "data")
    with pytest.raises(UsageError, match="exists"):
        back_up(settings, made / "backup.tar")
    with pytest.raises(UsageError, match="no data directory"):
        back_up(Settings(data=tmp_path), tmp_path / "backup.tar")
    with pytest.raises(UsageError, match="no such file"):
        restore(Settings(data=tmp_path / "data"), tmp_path / "nothing.tar")


def test_the_commands(made: Path, tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("lenswatch"))

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    file = tmp_path / "b.tar"
    done = call("backup", file, "--data", made / "data")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 bundles and 0 audits" in done.stdout
    assert file.stat().st_mode & 0o077 == 0
    assert tarfile.is_tarfile(file)
    again = call("backup", file, "--data", made / "data")
    assert again.returncode == 2
    put_back = call("restore", file, "--data", tmp_path / "data")
    assert (put_back.returncode, put_back.stderr) == (0, "")
