"""Reading the views that the audit prepared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lenswatch_api.access_log import record_access
from lenswatch_api.audits.service import require_succeeded
from lenswatch_api.authorization import Principal
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.problems import ApiProblem
from lenswatch_api.views.map_file import read_name
from lenswatch_api.views.schemas import EndUse, Map, Retention, Sink


def read_map(state: ServiceState, principal: Principal, audit_id: str) -> Map:
    """What is on the map; raises ApiProblem 404 or 409, as all of these do."""
    return Map.model_validate(_read(state, principal, audit_id, "map"))


def read_sinks(state: ServiceState, principal: Principal, audit_id: str) -> list[Sink]:
    """Where media comes to rest, most cameras first."""
    return [Sink.model_validate(item) for item in _read(state, principal, audit_id, "sinks")]


def read_retention(state: ServiceState, principal: Principal, audit_id: str) -> list[Retention]:
    """Retention against the limit of each control."""
    found = _read(state, principal, audit_id, "retention")
    return [Retention.model_validate(item) for item in found]


def read_end_use(state: ServiceState, principal: Principal, audit_id: str) -> list[EndUse]:
    """What the equipment of each vendor takes part in."""
    return [EndUse.model_validate(item) for item in _read(state, principal, audit_id, "end-use")]


def positions(state: ServiceState, principal: Principal, audit_id: str) -> Path:
    """The file of positions; reading it is logged."""
    path = _folder(state, principal, audit_id) / "map.bin"
    if not path.is_file():
        raise _missing()
    with state.database.write() as session:
        record_access(session, principal, "read-map", audit_id)
    return path


def camera_at(state: ServiceState, principal: Principal, audit_id: str, place: int) -> str:
    """The node id at a place of the file of positions."""
    folder = _folder(state, principal, audit_id)
    try:
        name = read_name(folder, place)
    except FileNotFoundError:
        raise _missing() from None
    if name is None:
        raise ApiProblem(404, "The map has no such place.")
    return name


def _folder(state: ServiceState, principal: Principal, audit_id: str) -> Path:
    with state.database.read() as session:
        require_succeeded(session, principal, audit_id)
    return state.settings.reports / audit_id / "views"


def _read(state: ServiceState, principal: Principal, audit_id: str, name: str) -> Any:
    path = _folder(state, principal, audit_id) / f"{name}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing() from None


def _missing() -> ApiProblem:
    return ApiProblem(404, "This audit has no such view. Start the audit again.")
