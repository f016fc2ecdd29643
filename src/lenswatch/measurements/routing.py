"""Who receives whose video: from conversations to sinks and proven paths.

*Proven* is a hop that the evidence shows: a camera sends media to a host, or a recorder or relay
sends media to the very host it declares as its upstream. A relay that sends media elsewhere is an
*inferred* hop: which cameras' video it carries is not known from volume alone. The two are kept
in separate networks and never add up in one number.

What a conversation carries is judged from its shape: :mod:`lenswatch.measurements.content`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.countries import Countries
from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.flows.exporters import Exporter
from lenswatch.evidence.flows.table import Application, FlowTable
from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements.centralisation import Centralisation, measure_centralisation
from lenswatch.measurements.content import (
    FLOW_EXPORT_PORTS,
    SMALLEST_PICTURE,
    Carries,
    Content,
    Transport,
    classify,
    content_chances,
    signalled,
    transports,
)
from lenswatch.measurements.conversations import Conversations, ConversationSums
from lenswatch.measurements.relays import InferredLink, RelayLinks, Stream, infer_links
from lenswatch.measurements.vantage import Vantage, may_carry, see
from lenswatch_kernels.reach import Network, build_network, next_hops, spread_marks


@dataclass(frozen=True, slots=True)
class Link:
    """One sender and one receiver, over all their conversations."""

    sender: int
    receiver: int
    carries: Carries
    octets: float
    packets: float
    port: int
    protocol: int
    """Of the conversation with most octets."""
    first_ms: int
    last_ms: int
    sampled: bool
    file: int
    offset: int


@dataclass(frozen=True, slots=True)
class InferredPath:
    """A way to a central sink that correlation suggests and the evidence does not prove."""

    vertices: tuple[int, ...]
    links: tuple[InferredLink, ...]

    @property
    def q_value(self) -> float:
        """False discovery rate of the path: at most the sum of those of its links."""
        return min(sum(link.q_value for link in self.links), 1.0)


@dataclass(frozen=True)
class RoutingMeasurements:
    """Links, the proven network over them, and the sinks that are central."""

    inventory: Inventory
    conversations: Conversations
    files: tuple[str, ...]
    """Names of the flow files, relative to the bundle; ``Link.file`` is a position in it."""
    sender: NDArray[np.int32]
    receiver: NDArray[np.int32]
    carries: NDArray[np.uint8]
    octets: NDArray[np.float64]
    main: NDArray[np.int64]
    """Conversation with most octets of each link."""
    clear_octets: NDArray[np.float64]
    """Octets of media on each link whose transport is in clear."""
    unknown_octets: NDArray[np.float64]
    """Octets of media on each link whose transport is not known."""
    pictures: NDArray[np.float64]
    """Chance that some conversation of each link carries single pictures (faces, snapshots)."""
    metadata: NDArray[np.bool_]
    """Whether a GA/T 1400 push was recognised on each link, large enough for a picture."""
    signalled: NDArray[np.bool_]
    """Whether media on each link belongs to a GB/T 28181 session, by its sender's signalling."""
    proven: NDArray[np.bool_]
    """Whether a media link is a proven hop; False for links that carry no media."""
    central: NDArray[np.bool_]
    """Shape ``(vertices,)``: sinks whose scope is wider than one district."""
    reaches_central: NDArray[np.bool_]
    """Shape ``(vertices,)``: whether a proven path leads to a central sink."""
    may_reach_central: NDArray[np.bool_]
    """Likewise over all media links, whether or not anything tells which video is in them."""
    possibly_central: NDArray[np.bool_]
    """Shape ``(vertices,)``: sinks that would be central if every media link carried all video."""
    relays: RelayLinks
    """What correlation tells of relays that send media to hosts they do not declare."""
    mirrors: NDArray[np.int64]
    """Links over which a router or switch sends media under its own address."""
    mirrored: NDArray[np.bool_]
    """Shape ``(nodes,)``: whether such a router may carry the node's traffic."""
    declared_sink: NDArray[np.bool_]
    """Shape ``(vertices,)``: receivers that the deployment declares."""
    vantage: Vantage
    """What the absence of a flow is worth."""
    endpoint_country: dict[int, str]
    """Countries of receivers of media outside the inventory, where a file tells them."""
    centralisation: Centralisation | None
    """None where no camera was seen to send media over a proven hop."""

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Whether each node occurs in a flow record."""
        return self.conversations.seen

    def name(self, vertex: int) -> str:
        """Node id, or the address of an endpoint outside the inventory.

        Only for findings about that endpoint; see the design's section on privacy.
        """
        if vertex < self.conversations.nodes:
            return str(self.inventory.node_id[vertex])
        return str(self.address(vertex))

    def address(self, vertex: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """Address of an endpoint outside the inventory."""
        return endpoint_address(self.conversations, vertex)

    def country(self, vertex: int) -> str:
        """ISO 3166-1 code of a vertex, by the inventory or the bundle's file; empty if unknown."""
        if vertex >= self.conversations.nodes:
            return self.endpoint_country.get(vertex, "")
        column = self.inventory.country
        return str(column[vertex]) if column is not None else ""

    def link(self, position: int) -> Link:
        """One link, put together for a finding."""
        flows, main = self.conversations, int(self.main[position])
        return Link(
            sender=int(self.sender[position]),
            receiver=int(self.receiver[position]),
            carries=Carries(int(self.carries[position])),
            octets=float(self.octets[position]),
            packets=float(flows.packets[main]),
            port=int(flows.port[main]),
            protocol=int(flows.protocol[main]),
            first_ms=int(flows.first_ms[main]),
            last_ms=int(flows.last_ms[main]),
            sampled=bool(flows.sampled[main]),
            file=int(flows.file[main]),
            offset=int(flows.offset[main]),
        )

    @cached_property
    def _links_of(self) -> Network:
        return build_network(self.sender, self.receiver, self.conversations.vertices)

    def links_from(self, vertex: int) -> list[int]:
        """Positions of the links that a vertex sends over."""
        network = self._links_of
        return [int(i) for i in network.edge[network.start[vertex] : network.start[vertex + 1]]]

    @cached_property
    def _hops(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return next_hops(
            self.sender[self.proven],
            self.receiver[self.proven],
            self.conversations.vertices,
            np.flatnonzero(self.central).astype(np.int32),
        )

    @cached_property
    def proven_network(self) -> Network:
        """Proven hops only."""
        return build_network(
            self.sender[self.proven], self.receiver[self.proven], self.conversations.vertices
        )

    def proven_receivers(self, vertex: int) -> list[int]:
        """Every vertex that a vertex's video reaches over proven hops, in rising order."""
        network = self.proven_network
        found: set[int] = set()
        waiting = [vertex]
        while waiting:
            here = waiting.pop()
            for after in network.target[network.start[here] : network.start[here + 1]].tolist():
                if after not in found:
                    found.add(after)
                    waiting.append(after)
        return sorted(found)

    @cached_property
    def _inferred_paths(self) -> dict[int, InferredPath]:
        after: dict[Stream, list[InferredLink]] = {}
        for link in self.relays.links:
            after.setdefault(link.taken, []).append(link)
        best: dict[int, InferredPath] = {}
        cameras = [
            link
            for link in self.relays.links
            if link.taken.sender < self.conversations.nodes
            and self.inventory.kind[link.taken.sender] == "camera"
        ]
        waiting = [InferredPath((one.taken.sender, one.relay, one.sent.receiver), (one,))
                   for one in cameras]  # fmt: skip
        while waiting:
            path = waiting.pop()
            end = path.vertices[-1]
            if self.possibly_central[end] or self.reaches_central[end]:
                known = best.get(path.vertices[0])
                if known is None or _rank(path) < _rank(known):
                    best[path.vertices[0]] = path
                continue
            waiting += [
                InferredPath((*path.vertices, link.sent.receiver), (*path.links, link))
                for link in after.get(path.links[-1].sent, [])
                if link.sent.receiver not in path.vertices
            ]
        return best

    def inferred_path(self, vertex: int) -> InferredPath | None:
        """The surest inferred way of a camera's video to a central sink; None where none is."""
        return self._inferred_paths.get(vertex)

    def central_path(self, vertex: int) -> list[int]:
        """Vertices of a shortest proven path to a central sink; empty where there is none."""
        hop, length = self._hops
        if length[vertex] <= 0:
            return []
        path = [vertex]
        while hop[path[-1]] >= 0:
            path.append(int(hop[path[-1]]))
        return path


def measure_routing(
    tables: Iterable[FlowTable],
    inventory: Inventory,
    deployment: Deployment,
    *,
    files: tuple[str, ...] = (),
    exporters: Callable[[], Sequence[Exporter]] | None = None,
    again: Callable[[], Iterable[FlowTable]] | None = None,
    countries: Countries | None = None,
) -> RoutingMeasurements:
    """Add up flow tables and find where video goes.

    ``files`` names the flow files that ``FlowTable.file`` counts; ``exporters`` is asked once all
    tables were read, without it every router counts as having exported. ``again`` gives the tables
    a second time, finer where they come from a capture; it is called only where a relay sends media
    to a host it does not declare, and without it nothing is inferred about relays. ``countries``
    tells those of receivers outside the inventory. Memory grows with the number of conversations.
    Order of the tables does not matter.
    """
    sums = ConversationSums(inventory)
    for table in tables:
        sums.add(table)
    return routing_of(
        sums.result(),
        inventory,
        deployment,
        files=files,
        exporters=None if exporters is None else exporters(),
        again=again,
        countries=countries,
    )


def routing_of(
    flows: Conversations,
    inventory: Inventory,
    deployment: Deployment,
    *,
    files: tuple[str, ...] = (),
    exporters: Sequence[Exporter] | None = None,
    again: Callable[[], Iterable[FlowTable]] | None = None,
    countries: Countries | None = None,
) -> RoutingMeasurements:
    """As :func:`measure_routing`, of records that were added up before, here or elsewhere."""
    if exporters is None:
        vantage = Vantage(np.zeros(len(inventory), np.bool_), (), 0.0)
    else:
        vantage = see(
            inventory,
            [source.address for source in exporters if source.records],
            sum(source.records for source in exporters),
            sum(source.lost_records for source in exporters),
        )
    carries = classify(flows)
    pair = flows.sender.astype(np.int64) * flows.vertices + flows.receiver
    start = _first_of_each(pair)  # conversations are sorted by pair
    octets = np.add.reduceat(flows.octets, start) if len(start) else np.zeros(0)
    link_carries = np.maximum.reduceat(carries, start) if len(start) else carries
    link_of = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(pair))))
    most = np.maximum.reduceat(flows.octets, start) if len(start) else octets
    largest = np.flatnonzero(flows.octets == most[link_of])
    main = largest[_first_of_each(link_of[largest])]
    media_octets = np.where(carries == Carries.MEDIA, flows.octets, 0.0)
    transport = transports(flows)

    def octets_by(kind: Transport) -> NDArray[np.float64]:
        return np.bincount(
            link_of, np.where(transport == kind, media_octets, 0.0), minlength=len(start)
        ).astype(np.float64)

    sender, receiver = flows.sender[start], flows.receiver[start]
    forwards = ~np.isin(inventory.kind.astype(str), ("router", "switch"))
    media = (link_carries == Carries.MEDIA) & forwards[sender]
    proven = media & _is_proven(sender, receiver, inventory, flows.nodes)
    central = _central_sinks(sender[proven], receiver[proven], flows.vertices, inventory)
    possibly = central | _central_sinks(sender[media], receiver[media], flows.vertices, inventory)
    passing = np.isin(inventory.kind.astype(str), ("recorder", "relay"))
    relays = infer_links(
        again() if again is not None else (),
        inventory,
        flows,
        media & ~proven & passing[sender],
        sender,
        receiver,
    )
    clear = octets_by(Transport.CLEAR)
    chances = content_chances(flows, carries)
    pushes = (flows.application == Application.GA1400) & (flows.octets >= SMALLEST_PICTURE)
    abroad = _countries(countries or Countries(), flows, receiver[media])
    mirrors = np.flatnonzero(_is_mirror(sender, link_carries, flows, main, inventory))
    copying = np.zeros(len(inventory), np.bool_)
    copying[sender[mirrors]] = True
    return RoutingMeasurements(
        inventory=inventory,
        conversations=flows,
        files=files,
        sender=sender,
        receiver=receiver,
        carries=link_carries,
        octets=octets,
        main=main,
        clear_octets=clear,
        unknown_octets=octets_by(Transport.UNKNOWN),
        pictures=np.maximum.reduceat(chances[:, Content.PICTURES], start)
        if len(start)
        else np.zeros(0),
        metadata=np.bincount(link_of, pushes, minlength=len(start)) > 0,
        signalled=np.bincount(link_of, signalled(flows, carries), minlength=len(start)) > 0,
        proven=proven,
        central=central,
        reaches_central=_reaches(sender[proven], receiver[proven], central),
        may_reach_central=_reaches(sender[media], receiver[media], possibly),
        possibly_central=possibly,
        relays=relays,
        mirrors=mirrors,
        mirrored=may_carry(inventory, copying),
        declared_sink=_declared(flows.vertices, inventory, deployment),
        vantage=vantage,
        endpoint_country=abroad,
        centralisation=measure_centralisation(
            inventory,
            sender[proven],
            receiver[proven],
            octets[proven],
            clear[proven],
            central,
            abroad,
            np.flatnonzero(proven),
        ),
    )


def _first_of_each(ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each value begins in a column that is sorted by it."""
    return np.flatnonzero(np.diff(ordered, prepend=-1))


def endpoint_address(
    flows: Conversations, vertex: int
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Address of a vertex outside the inventory."""
    i = vertex - flows.nodes
    value = int(flows.endpoint_high[i]) << 64
    address = ipaddress.IPv6Address(value | int(flows.endpoint_low[i]))
    return address.ipv4_mapped or address


def _countries(
    countries: Countries, flows: Conversations, receivers: NDArray[np.int32]
) -> dict[int, str]:
    outside = np.unique(receivers[receivers >= flows.nodes]).tolist()
    codes = countries.of(endpoint_address(flows, vertex) for vertex in outside)
    return {vertex: code for vertex, code in zip(outside, codes, strict=True) if code}


def _is_proven(
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    inventory: Inventory,
    nodes: int,
) -> NDArray[np.bool_]:
    """A camera's own media, or media that a relaying node sends to its declared upstream."""
    proven = np.asarray(inventory.kind[sender] == "camera", np.bool_)
    declared = _upstream_rows(inventory)[sender]
    proven |= (declared == receiver) & (receiver < nodes)
    return proven


def _rank(path: InferredPath) -> tuple[float, tuple[int, ...]]:
    return path.q_value, path.vertices


def _upstream_rows(inventory: Inventory) -> NDArray[np.int64]:
    """Row of each node's declared upstream, -1 where it declares none that exists."""
    coded = inventory.codes("declared_upstream")
    if coded is None:
        return np.full(len(inventory), -1, np.int64)
    codes, names = coded
    rows = [inventory.row_of(name) if name else None for name in names]
    # one place more: code -1, "none", reads the last
    return np.array([*(-1 if row is None else row for row in rows), -1], np.int64)[codes]


def _is_mirror(
    sender: NDArray[np.int32],
    carries: NDArray[np.uint8],
    flows: Conversations,
    main: NDArray[np.int64],
    inventory: Inventory,
) -> NDArray[np.bool_]:
    """Links from a router or switch that carry copies of packets.

    Recognised by the tunnel (ERSPAN, TZSP, VXLAN) or by volume. The records a router exports are
    large too; they are told by the collector's port.
    """
    tunnels = (Application.ERSPAN, Application.TZSP, Application.VXLAN)
    network = np.isin(inventory.kind.astype(str), ("router", "switch"))
    recognised = np.isin(flows.application[main], [int(code) for code in tunnels])
    exports = np.isin(flows.port[main], FLOW_EXPORT_PORTS)
    mirror: NDArray[np.bool_] = network[sender] & (
        recognised | ((carries == Carries.MEDIA) & ~exports)
    )
    return mirror


def _central_sinks(
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    vertices: int,
    inventory: Inventory,
) -> NDArray[np.bool_]:
    """Receivers of media whose declared or observed scope is wider than one district.

    Observed is the set of districts whose cameras' video arrives over proven hops; declared is the
    sink's own district.
    """
    central = np.zeros(vertices, np.bool_)
    coded = inventory.codes("district")
    if coded is None or len(sender) == 0:
        return central
    codes, names = coded
    cameras = inventory.kind == "camera"
    network = build_network(sender, receiver, vertices)
    several = np.zeros(vertices, np.bool_)
    so_far = np.full(vertices, -1, np.int64)
    for first in range(0, len(names), 64):
        marks = np.zeros(vertices, np.uint64)
        here = cameras & (codes >= first) & (codes < first + 64)
        marks[: len(inventory)][here] = np.uint64(1) << (codes[here] - first).astype(np.uint64)
        arrived = spread_marks(network, marks)
        for bit in range(min(64, len(names) - first)):
            has = (arrived >> np.uint64(bit)) & np.uint64(1) == 1
            several |= has & (so_far >= 0)
            so_far[has & (so_far < 0)] = first + bit
    own = np.full(vertices, -1, np.int64)
    own[: len(inventory)] = codes
    foreign = (so_far >= 0) & (own >= 0) & (so_far != own)
    rests = np.ones(vertices, np.bool_)  # endpoints outside the inventory can be sinks
    rests[: len(inventory)] = np.isin(inventory.kind.astype(str), ("sink", "recorder"))
    wide: NDArray[np.bool_] = (several | foreign) & rests
    return wide


def _reaches(
    sender: NDArray[np.int32], receiver: NDArray[np.int32], central: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    backwards = build_network(receiver, sender, len(central))
    arrives: NDArray[np.bool_] = spread_marks(backwards, central.astype(np.uint64)) != 0
    return arrives


def _declared(vertices: int, inventory: Inventory, deployment: Deployment) -> NDArray[np.bool_]:
    """Receivers that were announced.

    With a list in ``deployment.yaml``: the nodes on it, and every node that another declares as
    its upstream. Without one: all sinks, recorders and relays of the inventory.
    """
    declared = np.zeros(vertices, np.bool_)
    if deployment.declared_sinks is None:
        kinds = np.isin(inventory.kind.astype(str), ("sink", "recorder", "relay"))
        declared[: len(inventory)] = kinds
    names = set(deployment.declared_sinks or ())
    if inventory.declared_upstream is not None:
        names |= {name for name in inventory.declared_upstream if name}
    for name in names:
        row = inventory.row_of(name)
        if row is not None:
            declared[row] = True
    return declared
