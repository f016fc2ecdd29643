"""The one place where the simulator's compiler flags live.

Its own copy, on purpose: ground truth shares no code with the auditor. Cached on disk in a folder
named by the digest of all sources, because numba's own cache does not notice a changed helper in
another file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _source_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_directory() -> Path | None:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for parent in (base / "lenswatch", Path(tempfile.gettempdir()) / f"lenswatch-{os.getuid()}"):
        directory = parent / f"numba-sim-{_source_digest()}"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(directory, os.W_OK):
            return directory
    return None


def jit(function: _Function) -> _Function:
    """Compile ``function`` on first call, cache it on disk, and let it run without the GIL."""
    import numba
    from numba.core import config

    if "NUMBA_CACHE_DIR" not in os.environ and not config.CACHE_DIR:
        directory = _cache_directory()
        if directory is not None:
            config.CACHE_DIR = str(directory)
    compiled: _Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled
