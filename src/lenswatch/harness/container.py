"""A device that is a container image, in a network in which only the harness answers.

The engine runs outside the cage and joins the image to the cage's network namespace. That takes an
engine without a daemon: what a daemon starts, it starts in a network of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lenswatch.attest.certificate import moment_text
from lenswatch.errors import UsageError
from lenswatch.harness.command import CommandDevice, end
from lenswatch.harness.declaration import Declaration
from lenswatch.harness.devices import Played, Session
from lenswatch.harness.network import NAME_SERVER

ENGINES = ("podman",)

SETTINGS = ("image", "arguments")


class ContainerDevice(CommandDevice):
    """Runs an image once a session.

    Raises :class:`~lenswatch.errors.UsageError` for settings that do not fit, or where no engine is
    installed.
    """

    def __init__(
        self, declaration: Declaration, find: Callable[[str], str | None] = shutil.which
    ) -> None:
        super().__init__(declaration)
        settings = declaration.settings
        for name in settings:
            if name not in SETTINGS:
                raise UsageError(f"settings.{name}: unknown; there are {', '.join(SETTINGS)}")
        image = settings.get("image", "")
        if not isinstance(image, str) or not re.search(r"@sha256:[0-9a-f]{64}$", image):
            raise UsageError(
                "settings.image: name@sha256:... with the image's digest, so that the certificate "
                "says what was tested"
            )
        arguments = settings.get("arguments", [])
        if not isinstance(arguments, list) or not all(isinstance(word, str) for word in arguments):
            raise UsageError("settings.arguments: a list of texts")
        if declaration.clock == "faketime":
            raise UsageError("clock: faketime works for programs only; use told, and NOW")
        engine = next((path for name in ENGINES if (path := find(name))), None)
        if engine is None:
            raise UsageError(
                "a device of kind container needs podman, which is not installed here; docker's "
                "daemon would start it outside the captured network"
            )
        self._engine, self._image, self._arguments = engine, image, list(arguments)

    def launch_line(self, session: Session, space: Path, roots: Path) -> list[str]:
        """The command that starts the image: read-only but for its disk and its output."""
        home, output = session.home.resolve(), session.output.resolve()
        return [
            self._engine, "run", "--rm", "--pull=never", "--read-only", "--cap-drop=all",
            "--security-opt=no-new-privileges", f"--network=ns:{space}", f"--dns={NAME_SERVER}",
            f"--volume={session.stimulus.resolve()}:/stimulus.mp4:ro",
            f"--volume={output}:/output", f"--volume={home}:/home",
            f"--volume={roots.resolve()}:/roots.pem:ro", "--env=SSL_CERT_FILE=/roots.pem",
            "--env=HOME=/home", "--env=TZ=UTC", f"--env=NOW={moment_text(session.now)}",
            *(f"--env={name}={value}" for name, value in self._declared.environment.items()),
            self._image, *self._arguments,
        ]  # fmt: skip

    def _argv(self, session: Session) -> list[str]:
        """Holds the cage open; the image comes from outside."""
        return ["sleep", "infinity"]

    def _driven(
        self, process: subprocess.Popen[bytes], session: Session, space: Path, roots: Path
    ) -> Played:
        container = subprocess.Popen(  # noqa: S603
            self.launch_line(session, space, roots),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return self._wait(container)
        finally:
            end(container)

    def _unwatched(self, session: Session, why: str) -> Played:
        return Played(False, f"a container needs the cage: {why}", traffic_unmeasured=why)
