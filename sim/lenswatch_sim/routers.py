"""The routers of a city and what each of them exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lenswatch_sim import city as cities
from lenswatch_sim import traffic
from lenswatch_sim.exporters import bulk
from lenswatch_sim.exporters.frames import Exporter, open_export
from lenswatch_sim.exporters.netflow import RECORDS_A_MESSAGE, ExportWriter
from lenswatch_sim.exporters.sflow import SflowWriter


def router_address(district: int, layer: int) -> str:
    """Address of a district's access (1) or aggregation (2) router."""
    return f"10.{district % 200 + 1}.255.{layer}"


BULK_FROM = 5000
"""Conversations of one router from which the compiled writer is used."""


def write_flows(
    city: cities.City,
    folder: Path,
    begin_ms: int,
    end_ms: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Write ``flows/<router>.pcap`` for every router; returns what each wrote.

    Every router on a path exports the flow: one conversation is seen up to three times.
    """
    told: dict[str, Any] = {}
    through_core = []
    for district in city.districts:
        here = traffic.talk(city, district, begin_ms, end_ms)
        settings = city.scenario.part("export", district.name)
        for layer, (name, column) in enumerate(
            ((district.access, "access"), (district.aggregation, "aggregation")), start=1
        ):
            told[name] = _write_router(
                city,
                folder / f"{name}.pcap",
                here[here[column]],
                settings,
                str(settings[column]),
                router_address(district.index, layer),
                100 * district.index + layer,
                begin_ms,
            )
        through_core.append(here[here["core"]])
        if progress is not None:
            progress("flows", district.index + 1, len(city.districts))
    settings = city.scenario.values["export"]
    told[city.core] = _write_router(
        city,
        folder / f"{city.core}.pcap",
        np.concatenate(through_core),
        settings,
        str(settings["core"]),
        cities.CORE_ADDRESS,
        9,
        begin_ms,
    )
    return told


def _write_router(
    city: cities.City,
    path: Path,
    conversations: Any,
    settings: dict[str, Any],
    form: str,
    address: str,
    domain: int,
    begin_ms: int,
) -> dict[str, Any]:
    exporter = Exporter(
        address=traffic.number(address),
        collector=traffic.number(cities.COLLECTOR_ADDRESS),
        form=form,
        domain=domain,
        boot_ms=begin_ms
        - int(np.random.default_rng([city.seed, 30, domain]).integers(3_600_000, 40 * 86_400_000)),
        sampling=int(settings["sflow_sampling" if form == "sflow" else "sampling"]),
        skew_ms=int(settings["clock_skew_ms"]),
    )
    faults = settings["loss_share"] or settings["reboots"] or exporter.sampling > 1
    timeout = float(settings["active_timeout_s"])
    if form == "sflow":
        return _write_sflow(
            city, path, traffic.cut(conversations, timeout, city.seed), exporter, settings
        )
    plain = form == "ipfix" and not faults and not exporter.skew_ms
    even = len(conversations) > BULK_FROM and len(np.unique(conversations["first_ms"])) == 1
    if plain and even:
        with open_export(path) as file:
            count, octets, packets = bulk.write_ipfix(
                file, exporter, conversations, timeout, city.seed
            )
        return {
            "format": form,
            "records": count,
            "octets": octets,
            "packets": packets,
            "messages": -(-count // RECORDS_A_MESSAGE[form]),
            "lost_messages": 0,
        }
    records = traffic.cut(conversations, timeout, city.seed)
    rng = np.random.default_rng([city.seed, 31, domain])
    sampling = exporter.sampling
    if sampling > 1:
        mean = records["octets"] / records["packets"]
        records["packets"] = rng.binomial(records["packets"].astype(np.int64), 1 / sampling)
        records["octets"] = np.rint(records["packets"] * mean)
        records = records[records["packets"] > 0]
    with open_export(path) as file:
        writer = ExportWriter(file, exporter)
        parts = np.array_split(records, int(settings["reboots"]) + 1)
        for i, part in enumerate(parts):
            if i and len(part):
                writer.reboot(int(part["first_ms"].min()) - 1000)
            messages = -(-len(part) // RECORDS_A_MESSAGE[form])
            share = float(settings["loss_share"])
            writer.write(part, rng.random(messages) < share if share > 0 else None)
    return {
        "format": form,
        "records": len(records),
        "octets": int(records["octets"].sum()),
        "packets": int(records["packets"].sum()),
        "messages": -(-len(records) // RECORDS_A_MESSAGE[form]),
        "lost_messages": writer.lost_messages,
    }


def _write_sflow(
    city: cities.City, path: Path, records: Any, exporter: Exporter, settings: dict[str, Any]
) -> dict[str, Any]:
    """One agent's samples and counters; ``octets`` and ``packets`` are what really passed."""
    rng = np.random.default_rng([city.seed, 32, exporter.domain])
    sent = []
    with open_export(path) as file:
        writer = SflowWriter(file, exporter)
        for i, part in enumerate(np.array_split(records, int(settings["reboots"]) + 1)):
            if i and len(part):
                writer.reboot(int(part["first_ms"].min()) - 1000)
            sent.append(writer.write(part, rng, float(settings["loss_share"])))
    return {
        "format": "sflow",
        "sampling": exporter.sampling,
        "records": sum(part.samples for part in sent),
        "sampled_octets": sum(part.sampled_octets for part in sent),
        "octets": int(records["octets"].sum()),
        "packets": int(records["packets"].sum()),
        "messages": sum(part.datagrams for part in sent),
        "lost_messages": sum(part.lost for part in sent),
    }
