# ruff: noqa: E501  (rows of data stay rows)
"""Real database servers for the tests: started in a folder of their own, on a socket, stopped after.

Debian: ``mariadb-server``, ``postgresql``. As root they run as the users that their packages made,
because neither runs as root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Server:
    """A running server."""

    folder: Path
    socket: Path
    user: str
    tools: Path

    def run(self, tool: str, *arguments: str, text: str | None = None) -> str:
        """Run a client program of the server; its output."""
        command = [str(self.tools / tool), *arguments]
        done = subprocess.run(
            _as(self.user) + command if tool.startswith(("p", "c")) else command,
            input=text, capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


def _as(user: str) -> list[str]:
    return ["runuser", "-u", user, "--"] if os.getuid() == 0 else []


def _user(*names: str) -> str:
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    for name in names:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return "nobody"


@contextmanager
def _folder(user: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lwdb-"))  # short: a socket's path has 107 characters
    if os.getuid() == 0:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mariadb() -> Iterator[Server]:
    """MariaDB on a socket; root without a password."""
    program = shutil.which("mariadbd") or shutil.which("mysqld")
    installer = shutil.which("mariadb-install-db")
    if program is None or installer is None:
        pytest.skip("MariaDB is not installed (apt: mariadb-server): NOT checked")
    user = _user("mysql")
    with _folder(user) as folder:
        data, socket = folder / "data", folder / "s"
        common = ["--no-defaults", f"--datadir={data}", f"--user={user}"]
        subprocess.run(
            [installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        process = subprocess.Popen(
            [program, *common, f"--socket={socket}", "--skip-networking", f"--tmpdir={folder}",
             f"--pid-file={folder / 'pid'}", "--innodb-buffer-pool-size=16M",
             "--innodb-log-file-size=4M", "--default-time-zone=+05:30"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/",
        )  # fmt: skip
        try:
            _wait(process, socket)
            yield Server(folder, socket, user, Path(shutil.which("mariadb") or "/usr/bin/x").parent)
        finally:
            process.terminate()
            process.communicate(timeout=60)


@contextmanager
def postgresql() -> Iterator[Server]:
    """PostgreSQL on a socket; the superuser is called lenswatch.

    Every statement that it runs is in ``statements`` in its folder.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (apt: postgresql): NOT checked")
    tools, user = found[-1].parent, _user("postgres")
    with _folder(user) as folder:
        data, socket = folder / "data", folder / ".s.PGSQL.5432"
        subprocess.run(
            [*_as(user), str(tools / "initdb"), "-D", str(data), "-U", "lenswatch", "-A", "trust",
             "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        process = subprocess.Popen(
            [*_as(user), str(tools / "postgres"), "-D", str(data), "-k", str(folder),
             "-c", "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=on",
             "-c", "log_statement=all", "-c", "log_line_prefix=", "-c", f"log_directory={folder}",
             "-c", "log_filename=statements"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/",
        )  # fmt: skip
        try:
            _wait(process, socket)
            yield Server(folder, socket, user, tools)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _wait(process: subprocess.Popen[bytes], socket: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            _, errors = process.communicate()
            raise AssertionError(errors.decode("utf-8", "replace")[-2000:])
        if socket.exists():
            time.sleep(0.3)
            return
        time.sleep(0.1)
    raise AssertionError("the server did not open its socket within a minute")
