"""The service as a process of its own, to be killed: ``service_process.py DATA PORT DATABASE``."""

from __future__ import annotations

import sys
from pathlib import Path

from lenswatch_api.server import run
from tests.api.conftest import settings_for

if __name__ == "__main__":
    run(
        settings_for(
            Path(sys.argv[1]),
            database_url=sys.argv[3],
            limits={"audit_attempts": 1000, "failed_logins_per_minute": 10**6},
        ),
        host="127.0.0.1",
        port=int(sys.argv[2]),
    )
