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
from typing import Any


def _source_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_directory() -> str:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for parent in (base / "lenswatch", Path(tempfile.gettempdir()) / f"lenswatch-{os.getuid()}"):
        directory = parent / f"numba-sim-{_source_digest()}"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(directory, os.W_OK):
            return str(directory)
    return ""


_CACHE = _cache_directory()


def jit(function: Callable[..., Any]) -> Any:
    """Compile ``function`` on first call, cache it on disk, and let it run without the GIL."""
    import numba
    from numba.core import config

    # Set and put back: the kernels' own folder must not hold these, it is named by their digest.
    before = config.CACHE_DIR
    config.CACHE_DIR = _CACHE or before
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before
