"""The one place where compiler flags live.

Every compiled loop of the project carries ``@kernel``. No ``fastmath``: it breaks ``isnan``, and a
finding must be reproducible bit for bit. No ``parallel``: on numba's ``workqueue`` layer two Python
threads inside parallel kernels abort the process; kernels release the GIL instead, so callers put
threads over chunks.
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
    """Digest of all kernel sources.

    numba's disk cache is keyed by the one file that holds a function, so a changed helper in
    another file leaves a stale binary behind without a word. A directory named by the digest of
    all of them cannot be stale.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _use_cache_directory() -> None:
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    name = f"numba-{_source_digest()}"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for parent in (base / "lenswatch", Path(tempfile.gettempdir()) / f"lenswatch-{os.getuid()}"):
        directory = parent / name
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(directory, os.W_OK):
            os.environ["NUMBA_CACHE_DIR"] = str(directory)
            return


_use_cache_directory()

import numba  # noqa: E402  (reads NUMBA_CACHE_DIR when it is imported)


def kernel(function: _Function) -> _Function:
    """Compile ``function`` on first call, cache it on disk, and let it run without the GIL."""
    compiled: _Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled
