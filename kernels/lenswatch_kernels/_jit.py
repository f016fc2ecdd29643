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


def leaf_kernel(function: _Function) -> _Function:
    """The same for a function that makes no arrays: compiled without reference counts.

    numba counts references to every array handed to a function, also where it inlines it: decoding
    the headers of a packet spent half its time on that. Views (slices, rows) are allowed, a copy of
    an array does not compile.
    """
    compiled: _Function = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(
        function
    )
    return compiled


if numba.config.DISABLE_JIT:

    def prefetch(array: Any, at: Any) -> None:
        """Nothing: an interpreter gains nothing from it."""

else:
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    ir = cgutils.ir

    @intrinsic
    def prefetch(_typing: Any, array: Any, at: Any) -> Any:
        """Ask for the cache line of ``array[at]`` (one dimension) before it is needed.

        Walks that jump from header to header wait for memory at each: asking for the headers a few
        steps ahead made the walk over export messages three times as fast. Nothing is read, so a
        place outside of the array does no harm.
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source = context.make_array(signature.args[0])(context, builder, arguments[0])
            byte = ir.IntType(8).as_pointer()
            place = builder.bitcast(builder.gep(source.data, [arguments[1]]), byte)
            number = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            builder.call(call, [place, number(0), number(3), number(1)])
            return context.get_dummy_value()

        return types.void(array, at), generate
