"""The packs that ship with lenswatch. Own packs are files, which an API caller has none of."""

from __future__ import annotations

from functools import cache

from lenswatch.policy import load_packs, shipped_packs
from lenswatch_api.packs.schemas import Control, Pack
from lenswatch_api.problems import ApiProblem


@cache
def read_all() -> tuple[Pack, ...]:
    """Every pack, by id."""
    return tuple(
        Pack(
            id=pack.id,
            title=pack.title,
            version=pack.version,
            description=pack.description,
            digest=pack.digest,
            controls=[
                Control(
                    id=control.id,
                    title=control.title,
                    check=control.check,
                    severity=control.severity,
                    weight=control.weight,
                    force=control.force,
                    source=control.source,
                )
                for control in pack.controls
            ],
        )
        for pack in load_packs(shipped_packs())
    )


def require_known(pack_ids: list[str]) -> None:
    """Raise ApiProblem 422 for an id that is no pack: it is never taken for a path."""
    known = {pack.id for pack in read_all()}
    if not known.issuperset(pack_ids):
        raise ApiProblem(
            422,
            f"There is no such policy pack. The packs are: {', '.join(sorted(known))}.",
            location="body.packs",
        )
