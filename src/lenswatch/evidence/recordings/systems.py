"""Which reader reads which system, and what happens when one breaks."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings.artefacts import Artefacts, StoreReading
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.model import sentence

__all__ = ["read_store"]

_MODULES: Final = {
    "directory": "directory",
    "frigate": "frigate",
    "genetec": "camera_reports",
    "mediamtx": "mediamtx",
    "milestone": "camera_reports",
    "moonfire": "moonfire",
    "motion": "motion",
    "onvif": "onvif",
    "s3-inventory": "s3_inventory",
    "shinobi": "shinobi",
    "viseron": "viseron",
    "zoneminder": "zoneminder",
}


def read_store(
    store: StoreDeclaration, *, root: Path, emit: Callable[[StoreReading, Artefacts], None]
) -> StoreReading:
    """Read one store of the bundle ``root``; batches of artefacts go to ``emit`` as they fill.

    Raises nothing for bad evidence: what is wrong is in the reading's problems, and ``complete`` is
    False where something could not be read. The evidence is left as it was, byte for byte.
    """
    reading = StoreReading(store, emit)
    try:
        module = import_module(f"lenswatch.evidence.recordings.{_MODULES[store.system]}")
        module.read(reading, root)
    except EvidenceError as error:
        reading.problem(
            error.file, error.message, error.remedy, line=error.line, offset=error.offset
        )
    except OSError as error:
        reading.problem(
            store.described(),
            sentence("cannot be read ({why})", why=sentence(error.strerror or "I/O error")),
            "check who may read it, and copy it again",
        )
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        # readers expect what a recorder writes; a damaged row may hold anything in its place
        reading.problem(
            store.described(),
            sentence(
                "holds values that {system} does not write, so the rest was not read",
                system=store.system,
            ),
            "copy it again; if it stays, report the recorder's version to lenswatch",
        )
    except RecursionError:
        reading.problem(store.described(), "nested too deeply", "look at what wrote it")
    reading.finish()
    if reading.rows == 0 and reading.complete:
        reading.problem(
            store.described(),
            "holds no artefact at all",
            "check that the copy is complete; an empty store proves nothing",
        )
    return reading
