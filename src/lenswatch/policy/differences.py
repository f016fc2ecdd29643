"""What is different between two packs, control by control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lenswatch.policy.loading import control_content
from lenswatch.policy.model import Control, Pack


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one control that two packs set differently."""

    name: str
    """Name of the control, without its pack."""
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class PackDifference:
    """What it takes to get from one pack to another."""

    removed: tuple[Control, ...]
    added: tuple[Control, ...]
    changed: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.removed or self.added or self.changed)


def compare_packs(before: Pack, after: Pack) -> PackDifference:
    """Controls are matched by their names: ``retention-minimum`` here and there."""
    old = {_name(control): control for control in before.controls}
    new = {_name(control): control for control in after.controls}
    changes = []
    for name in sorted(old.keys() & new.keys()):
        left, right = control_content(old[name]), control_content(new[name])
        changes += [
            Change(name, field, left[field], right[field])
            for field in left
            if field != "id" and left[field] != right[field]
        ]
    return PackDifference(
        removed=tuple(old[name] for name in sorted(old.keys() - new.keys())),
        added=tuple(new[name] for name in sorted(new.keys() - old.keys())),
        changed=tuple(changes),
    )


def _name(control: Control) -> str:
    return control.id.partition("/")[2]
