"""``nodes.parquet`` and ``truth/routing.parquet`` of cities too large for one row at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim import city as cities

LARGE = 20_000
"""Cameras from which inventory and routing truth are Parquet files."""


def camera_table(city: cities.City, district: cities.District) -> dict[str, Any]:
    """Inventory columns of one district's cameras."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = city.block(district.index)
    columns = city.columns(numbers)
    values = city.scenario.values
    settings = city.scenario.part("cameras", district.name)
    recording = city.scenario.part("recording", district.name)
    count = len(numbers)

    def same(value: Any, kind: Any = None) -> Any:
        return pa.repeat(pa.scalar(value, kind), count)

    names = [name for name, _ in cities.VENDORS]
    models = [models for _, models in cities.VENDORS]
    first = np.cumsum([0, *map(len, models)])
    sizes = np.array([len(part) for part in models])[columns["vendor"]]
    model = first[columns["vendor"]] + (columns["model"] * sizes).astype(np.int64)
    flat_models = [name for part in models for name in part]
    address = addresses(columns["address"])
    upstream = np.where(columns["direct_to_central"], city.platform, district.recorder)
    declared = settings["declared_masked"]
    return {
        "node_id": pa.array(np.char.add("cam-", np.char.zfill(numbers.astype("U7"), 6))),
        "kind": same("camera"),
        "vendor": pc.take(
            pa.array([city.maker(name, district.name) for name in names]),
            pa.array(columns["vendor"]),
        ),
        "model": pc.take(pa.array(flat_models), pa.array(model)),
        "district": same(district.name),
        "lat": pa.array(columns["lat"].round(6)),
        "lon": pa.array(columns["lon"].round(6)),
        "addresses": address,
        "declared_upstream": pa.array(upstream),
        "operator": same(values["deployment"]["operator"]),
        "country": same(values["deployment"]["jurisdiction"][:2]),
        "declared_retention_hours": same(
            float(recording["declared_retention_hours"]), pa.float64()
        ),
        "width_px": same(
            float(settings["declared_width_px"] or values["video"]["width"]), pa.float64()
        ),
        "height_px": same(float(values["video"]["height"]), pa.float64()),
        "hfov_deg": pa.array(columns["hfov_deg"]),
        "distance_m": pa.array(
            (columns["distance_m"].round(1) * settings["declared_distance_times"]).round(1)
        ),
        "place_type": pc.take(pa.array(cities.PLACES), pa.array(columns["place"])),
        "declared_masked": same(None if declared is None else bool(declared), pa.bool_()),
        "stream_url": pc.binary_join_element_wise("rtsp://", address, "/stream1", ""),
    }


def addresses(values: NDArray[np.int64]) -> Any:
    """IPv4 numbers as text, a pyarrow array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    octets = [pa.array(values >> shift & 255).cast(pa.string()) for shift in (24, 16, 8, 0)]
    return pc.binary_join_element_wise(*octets, ".")


def write_nodes(city: cities.City, path: Path, equipment: list[dict[str, Any]]) -> None:
    """Write ``nodes.parquet``: every camera, then ``equipment`` (rows as in ``nodes.csv``)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    try:
        for district in city.districts:
            if len(city.block(district.index)):
                table = pa.table(camera_table(city, district))
                writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
                writer.write_table(table)
        if writer is not None:
            rows = [
                {field.name: row.get(field.name) for field in writer.schema} for row in equipment
            ]
            for row in rows:
                hours = row["declared_retention_hours"]
                row["declared_retention_hours"] = None if hours is None else float(hours)
                row["lat"] = row["lon"] = None
            writer.write_table(pa.Table.from_pylist(rows, writer.schema))
    finally:
        if writer is not None:
            writer.close()


def write_routing(city: cities.City, path: Path) -> None:
    """Write what each camera reaches: central, by proven hops only, an undeclared host."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = [city.scenario.part("routing", district.name) for district in city.districts]
    # An undeclared host is central once it serves more than one district.
    relays_central = sum(bool(part["covert_relay"]) for part in parts) > 1
    clouds_central = sum(bool(part["cloud_cameras"]) for part in parts) > 1
    tables = []
    for district, routing in zip(city.districts, parts, strict=True):
        numbers = city.block(district.index)
        if not len(numbers):
            continue
        columns = city.columns(numbers)
        recorded = ~columns["direct_to_central"] & (not routing["edge_only"])
        pushed = recorded & bool(routing["central"])
        declared_cloud = routing["cloud_country"] is not None
        alone = columns["direct_to_central"] | bool(routing["snapshots_to_central"])
        alone = alone | (columns["cloud"] & (declared_cloud or clouds_central))
        relayed = recorded & (bool(routing["covert_relay"]) and relays_central)
        proven = alone | (pushed & bool(routing["declared_upstream"]))
        tables.append(
            pa.table(
                {
                    "node_id": np.char.add("cam-", np.char.zfill(numbers.astype("U7"), 6)),
                    "district": np.full(len(numbers), district.name),
                    "reaches_central": proven | pushed | relayed | bool(routing["mirror"]),
                    "proven": proven,
                    "reaches_undeclared": columns["cloud"] & (not declared_cloud),
                }
            )
        )
    pq.write_table(pa.concat_tables(tables), path, compression="zstd")
