"""From a scenario's ``scenes`` part to one camera's view: which of it falls on which camera."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from lenswatch_sim import chance
from lenswatch_sim.scenes.crowd import activity

BY_HOUR = "by-hour"


def light_at(hour: float) -> str:
    """Light outdoors at a local hour, near an equinox."""
    if 7.5 <= hour < 17.5:
        return "day"
    return "dusk" if 6.5 <= hour < 18.5 else "night"


def plan(
    settings: dict[str, Any], number: int, seed: int, place: str, light: str, begin: datetime
) -> dict[str, Any]:
    """What :class:`~lenswatch_sim.scenes.view.View` takes from a scenario's ``scenes`` part.

    ``begin`` (UTC) is when the clip begins; with the part's ``utc_offset_hours`` it gives the hour
    that people and, where ``light`` is ``by-hour``, the light follow.
    """
    local = begin + timedelta(hours=float(settings["utc_offset_hours"]))
    hour = local.hour + local.minute / 60
    kinds = list(settings["weather"])
    drawn = int(chance.whole(np.array([number]), "weather", seed, 0, len(kinds))[0])
    about = activity(place, hour) if settings["people_by_hour"] else 1.0
    return {
        "light": light_at(hour) if light == BY_HOUR else light,
        "activity": round(about * float(settings["crowd"]), 3),
        "weather": kinds[drawn],
        "visibility_m": float(settings["visibility_m"]),
        "rain_mm_per_h": float(settings["rain_mm_per_h"]),
        "vehicles_per_minute": float(settings["vehicles_per_minute"]),
        "posters": int(settings["posters"]),
        "mannequins": int(settings["mannequins"]),
        "tones": tuple(int(tone) for tone in settings["tones"]),
        "noise": float(settings["noise"]),
        "shutter_s": float(settings["shutter_s"]),
        "defocus_px": float(settings["defocus_px"]),
    }
