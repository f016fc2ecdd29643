"""Simulated cameras, routers and recorders with exact ground truth.

Shares no code with the auditor: the wire formats are the only meeting point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lenswatch_sim.scenario import ScenarioError, list_scenarios, load_scenario
    from lenswatch_sim.simulation import simulate

__all__ = ["ScenarioError", "list_scenarios", "load_scenario", "simulate"]


def __getattr__(name: str) -> Any:
    """Import on first use: the command line must start without numpy."""
    if name == "simulate":
        from lenswatch_sim.simulation import simulate

        return simulate
    if name in ("ScenarioError", "list_scenarios", "load_scenario"):
        from lenswatch_sim import scenario

        return getattr(scenario, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
