"""Decodes datagrams of NetFlow v1/v5/v7/v9 and IPFIX into flow tables, with all their state.

State is per *session*: exporter, observation domain and protocol version. A template set applies
to the data sets after it; data sets that come before their template are held, within bounds, and
decoded when it arrives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows import fields
from lenswatch.evidence.flows import templates as layout
from lenswatch.evidence.flows.export_details import estimate_start, follow, full_records, learn
from lenswatch.evidence.flows.export_state import (
    MOST_HELD_BYTES,
    MOST_HELD_SETS,
    MOST_SESSIONS,
    MOST_TEMPLATES,
    NO_PLAN,
    Break,
    Context,
    Datagrams,
    FullRecord,
    HeldSet,
    Losses,
    Session,
)
from lenswatch.evidence.flows.export_tables import as_table, finish_columns, with_reverse
from lenswatch.evidence.flows.exporters import ExporterBook
from lenswatch.evidence.flows.table import FlowTable, concatenate
from lenswatch.evidence.flows.templates import LEGACY, Plan, Template, compile_plan, pack_plans
from lenswatch_kernels import export_messages as messages
from lenswatch_kernels import sequences
from lenswatch_kernels.export_records import Plans, count_records, decode_records
from lenswatch_kernels.key_table import KeyTable
from lenswatch_kernels.record_operations import NO_BASE


class ExportDecoder:
    """Feed it datagrams in order; it gives flow tables and keeps the exporters' state."""

    def __init__(
        self, book: ExporterBook, *, split_biflows: bool = True, all_fields: bool = False
    ) -> None:
        self._book = book
        self.sessions: list[Session] = []
        self.losses = Losses()
        self.breaks: list[Break] = []
        self.full_records: list[FullRecord] = []
        self.sequence_state = sequences.new_state(0)
        self._split = split_biflows
        self._all_fields = all_fields
        self._session_of = KeyTable()
        self._plan_of = KeyTable()
        self._plans: list[Plan] = []
        self._plan_by_template: dict[Template, int] = {}
        self._packed: Plans | None = None
        self._held: dict[int, list[HeldSet]] = defaultdict(list)
        self._held_bytes = 0
        self._held_count = 0
        self._ready: list[tuple[int, HeldSet]] = []
        self._withdrawn = self._plan(Template(0, 0, ()))
        self._legacy = {version: self._plan(template) for version, template in LEGACY.items()}

    # -- templates ---------------------------------------------------------------------------

    def _plan(self, template: Template) -> int:
        known = self._plan_by_template.get(template)
        if known is not None:
            return known
        if len(self._plans) >= 2 * MOST_TEMPLATES:
            self.losses.refused_templates += 1
            return NO_PLAN
        self._plans.append(compile_plan(template))
        self._packed = None
        self._plan_by_template[template] = len(self._plans) - 1
        return len(self._plans) - 1

    def template(self, plan: int) -> Template:
        """Template that a session's plan was compiled from."""
        return self._plans[plan].template

    def restore(self, address: int, domain: int, template: Template) -> None:
        """Know a template from an earlier run, as if its exporter had just sent it."""
        if template.version not in (9, 10) or not 256 <= template.id <= 65535:
            raise ValueError("not a template of NetFlow v9 or IPFIX")
        key = (address << 36) | (domain << 4) | template.version
        row = int(self._session_of.get(np.array([key], np.uint64))[0])
        if row < 0:
            row = self._new_session(key, address, domain, template.version)
            if row < 0:
                return
        self._define(row, template)

    def _new_session(self, key: int, address: int, domain: int, version: int) -> int:
        if len(self.sessions) >= MOST_SESSIONS:
            self.losses.refused_sessions += 1
            return -1
        protocol = "ipfix" if version == 10 else f"netflow{version}"
        self._session_of.set(key, len(self.sessions))
        self.sessions.append(Session(self._book.row(address, domain, protocol), domain, version))
        if len(self.sessions) > len(self.sequence_state):
            grown = sequences.new_state(max(64, 2 * len(self.sessions)))
            grown[: len(self.sequence_state)] = self.sequence_state
            self.sequence_state = grown
        return len(self.sessions) - 1

    def _define(self, session_row: int, template: Template) -> None:
        session = self.sessions[session_row]
        plan = self._plan(template)
        if plan < 0:
            return
        if template.id not in session.templates and len(self._plan_of) >= MOST_TEMPLATES:
            self.losses.refused_templates += 1
            return
        session.templates[template.id] = plan
        key = _set_key(session_row, template.id)
        self._plan_of.set(key, plan)
        held = self._held.pop(key, None)
        if held:
            for item in held:
                self._held_bytes -= len(item.body)
                self._held_count -= 1
                self._ready.append((plan, item))
            self.losses.released_sets += len(held)

    def _withdraw(self, session_row: int, identifier: int, options: bool) -> None:
        session = self.sessions[session_row]
        whole = identifier in (2, 3)
        for known, plan in list(session.templates.items()):
            if known == identifier or (whole and self._plans[plan].template.options == options):
                del session.templates[known]
                # the table has no removal: an undecodable plan stands for "withdrawn"
                self._plan_of.set(_set_key(session_row, known), self._withdrawn)

    def _take_templates(self, session_row: int, version: int, set_id: int, body: bytes) -> bool:
        """Apply one template set; True where it changed what later data sets mean."""
        session = self.sessions[session_row]
        digest = bytes([set_id]) + body
        if digest in session.seen:
            return False
        options = set_id in (1, 3)
        found, withdrawn, broken = layout.parse_templates(body, version, options)
        if broken >= 0:
            self.losses.broken_template_sets += 1
        changed = bool(withdrawn)
        for identifier in withdrawn:
            self._withdraw(session_row, identifier, options)
        for template in found:
            plan = session.templates.get(template.id)
            if plan is None or self._plans[plan].template != template:
                changed = True
                self._define(session_row, template)
        if changed:
            session.seen.clear()
        if not withdrawn and len(session.seen) < 256:
            session.seen.add(digest)
        return changed

    # -- decoding ----------------------------------------------------------------------------

    def decode(self, buffer: NDArray[np.uint8], datagrams: Datagrams) -> FlowTable:
        """Flow records of the datagrams, in the order of the wire.

        Records that waited for a template which these datagrams bring come after them.
        """
        index = messages.index_messages(buffer, datagrams.offset, datagrams.length)
        session = self._sessions(index, datagrams)
        self._note_breaks(index, datagrams)
        set_session = session[index.set_message]
        set_plan = self._resolve(buffer, index, set_session, datagrams)
        plans = self._packed_plans()
        records, cut = count_records(buffer, index.set_offset, index.set_length, set_plan, plans)
        for row in np.flatnonzero(cut >= 0)[:1000]:
            message = index.set_message[row]
            datagram = index.datagram[message]
            self._break(datagrams, datagram, int(cut[row]), messages.BAD_SET)
        self.losses.cut_sets += int(np.count_nonzero(cut >= 0))
        follow(index, session, set_plan, records, datagrams, self.sessions, self.sequence_state)
        is_options = np.array([plan.template.options for plan in self._plans], np.bool_)
        options = (set_plan >= 0) & is_options[set_plan]
        self._learn_options(buffer, index, set_session, set_plan, options)
        records[options] = 0
        records[set_session < 0] = 0
        message = index.set_message
        datagram = index.datagram[message]
        context = Context(
            exporter=self._rows_of(set_session),
            domain=index.domain[message],
            file=datagrams.file[datagram],
            place=datagrams.place[datagram] + index.offset[message] - datagrams.offset[datagram],
            export_ms=index.export_ms[message],
            uptime_base=self._uptime_bases(buffer, index, set_session, set_plan, records),
            session=set_session,
            header_sampling=index.sampling[message],
        )
        table = self._records(
            buffer, index.set_offset, index.set_length, set_plan, records, context
        )
        if self._all_fields:
            self._keep_all(buffer, index, set_plan, context, session)
        late = self._release(writable=buffer.flags.writeable)
        if late is None:
            return table
        return concatenate([table, late])

    def _packed_plans(self) -> Plans:
        if self._packed is None:
            self._packed = pack_plans(self._plans)
        return self._packed

    def _sessions(self, index: messages.MessageIndex, datagrams: Datagrams) -> NDArray[np.int64]:
        """Session row of each message, -1 for messages that are none."""
        if not index.datagram.size:
            return np.empty(0, np.int64)
        address = datagrams.address[index.datagram].astype(np.uint64)
        key = (
            (address << np.uint64(36))
            | (index.domain.astype(np.uint64) << np.uint64(4))
            | (index.version.astype(np.uint64) & np.uint64(15))
        )
        good = (index.status != messages.UNKNOWN_VERSION) & (index.domain >= 0)
        session = self._session_of.get(key)
        missing = good & (session < 0)
        if missing.any():
            rows = np.flatnonzero(missing)
            _, first = np.unique(key[rows], return_index=True)
            for row in rows[np.sort(first)]:
                self._new_session(
                    int(key[row]),
                    int(address[row]),
                    int(index.domain[row]),
                    int(index.version[row]),
                )
            session = self._session_of.get(key)
        session[~good] = -1
        return session

    def _note_breaks(self, index: messages.MessageIndex, datagrams: Datagrams) -> None:
        bad = np.flatnonzero(index.status != messages.OK)
        self.losses.unknown_messages += int(
            np.count_nonzero(index.status == messages.UNKNOWN_VERSION)
        )
        self.losses.broken_messages += len(bad)
        for row in bad[:1000]:
            self._break(
                datagrams,
                int(index.datagram[row]),
                int(index.broken_at[row]),
                int(index.status[row]),
            )

    def _break(self, datagrams: Datagrams, datagram: int, at: int, status: int) -> None:
        if len(self.breaks) < 1000:
            place = datagrams.place[datagram] + at - datagrams.offset[datagram]
            self.breaks.append(Break(int(datagrams.file[datagram]), int(place), status))

    def _resolve(
        self,
        buffer: NDArray[np.uint8],
        index: messages.MessageIndex,
        set_session: NDArray[np.int64],
        datagrams: Datagrams,
    ) -> NDArray[np.int64]:
        """Plan of each set at its place in the order of the wire; holds sets without one."""
        count = index.set_id.shape[0]
        set_plan = np.full(count, NO_PLAN, np.int64)
        version = index.version[index.set_message]
        legacy = (index.set_id == messages.LEGACY_SET) & (version < 9)
        for number, plan in self._legacy.items():
            set_plan[legacy & (version == number)] = plan
        data = (index.set_id >= 256) & (set_session >= 0)
        keys = (set_session.astype(np.uint64) << np.uint64(16)) | index.set_id
        first_template = np.where(version == 10, 2, 0)
        is_template = (
            (version >= 9)
            & (set_session >= 0)
            & ((index.set_id == first_template) | (index.set_id == first_template + 1))
        )
        done = 0
        for row in np.flatnonzero(is_template):
            at, length = int(index.set_offset[row]), int(index.set_length[row])
            body = buffer[at : at + length].tobytes()
            who = int(set_session[row])
            digest = bytes([int(index.set_id[row])]) + body
            if digest in self.sessions[who].seen:
                continue
            self._assign(keys, data, set_plan, done, int(row))
            self._hold(buffer, index, data, set_plan, set_session, datagrams, done, int(row))
            done = int(row)
            self._take_templates(who, int(version[row]), int(index.set_id[row]), body)
        self._assign(keys, data, set_plan, done, count)
        self._hold(buffer, index, data, set_plan, set_session, datagrams, done, count)
        return set_plan

    def _assign(
        self,
        keys: NDArray[np.uint64],
        data: NDArray[np.bool_],
        set_plan: NDArray[np.int64],
        start: int,
        stop: int,
    ) -> None:
        if stop > start:
            rows = np.flatnonzero(data[start:stop]) + start
            found = self._plan_of.get(keys[rows])
            found[found == self._withdrawn] = NO_PLAN  # their data waits for a new template
            set_plan[rows] = found

    def _hold(
        self,
        buffer: NDArray[np.uint8],
        index: messages.MessageIndex,
        data: NDArray[np.bool_],
        set_plan: NDArray[np.int64],
        set_session: NDArray[np.int64],
        datagrams: Datagrams,
        start: int,
        stop: int,
    ) -> None:
        """Keep copies of the data sets in ``start:stop`` whose template has not come."""
        if stop <= start:
            return
        waiting = np.flatnonzero(data[start:stop] & (set_plan[start:stop] < 0)) + start
        for row in waiting:
            length = int(index.set_length[row])
            self.losses.held_sets += 1
            if self._held_count >= MOST_HELD_SETS or self._held_bytes + length > MOST_HELD_BYTES:
                self.losses.dropped_sets += 1
                continue
            message = int(index.set_message[row])
            datagram = int(index.datagram[message])
            at = int(index.set_offset[row])
            place = datagrams.place[datagram] + index.offset[message] - datagrams.offset[datagram]
            base = (
                int(index.export_ms[message]) - int(index.uptime_ms[message])
                if index.version[message] != 10
                else NO_BASE
            )
            who = int(set_session[row])
            self._held[_set_key(who, int(index.set_id[row]))].append(
                HeldSet(
                    buffer[at : at + length].tobytes(),
                    (
                        who,
                        int(index.domain[message]),
                        int(datagrams.file[datagram]),
                        int(place),
                        int(index.export_ms[message]),
                        base,
                    ),
                )
            )
            self._held_count += 1
            self._held_bytes += length

    @property
    def waiting_sets(self) -> int:
        """Data sets that still wait for their template."""
        return self._held_count

    def _release(self, *, writable: bool) -> FlowTable | None:
        """Decode the sets whose template has come.

        Their buffer is of the kind of the other buffers: for another kind numba would compile the
        decoder once more, and keep a collector from its socket for seconds.
        """
        if not self._ready:
            return None
        ready, self._ready = self._ready, []
        bodies = [item.body for _, item in ready]
        length = np.array([len(body) for body in bodies], np.int64)
        offset = np.concatenate(([0], np.cumsum(length)[:-1])).astype(np.int64)
        buffer = np.frombuffer(bytearray().join(bodies), np.uint8)
        buffer.flags.writeable = writable
        set_plan = np.array([plan for plan, _ in ready], np.int64)
        plans = self._packed_plans()
        records, _ = count_records(buffer, offset, length, set_plan, plans)
        columns = np.array([item.context for _, item in ready], np.int64).reshape(-1, 6)
        session = columns[:, 0]
        for row, (plan, item) in enumerate(ready):
            known = self._plans[plan]
            if known.template.options:
                for record in fields.records(known.template, item.body):
                    learn(self.sessions[session[row]], record)
                records[row] = 0
        base = columns[:, 5].copy()
        for held in np.flatnonzero(base == NO_BASE):
            base[held] = self.sessions[session[held]].init_ms
        context = Context(
            exporter=self._rows_of(session),
            domain=columns[:, 1].astype(np.uint32),
            file=columns[:, 2].astype(np.uint32),
            place=columns[:, 3],
            export_ms=columns[:, 4],
            uptime_base=base,
            session=session,
            header_sampling=np.zeros(len(ready), np.uint16),
        )
        for row in range(len(ready)):
            self.sessions[session[row]].records += int(records[row])
        if self._all_fields:
            for row, (plan, item) in enumerate(ready):
                self.full_records.extend(
                    full_records(self._plans[plan].template, item.body, context, row, 0)
                )
        return self._records(buffer, offset, length, set_plan, records, context)

    def _rows_of(self, session: NDArray[np.int64]) -> NDArray[np.uint32]:
        rows = np.array([item.row for item in self.sessions] or [0], np.uint32)
        return rows[np.maximum(session, 0)]

    # -- options -----------------------------------------------------------------------------

    def _learn_options(
        self,
        buffer: NDArray[np.uint8],
        index: messages.MessageIndex,
        set_session: NDArray[np.int64],
        set_plan: NDArray[np.int64],
        options: NDArray[np.bool_],
    ) -> None:
        for row in np.flatnonzero(options):
            at, length = int(index.set_offset[row]), int(index.set_length[row])
            body = buffer[at : at + length].tobytes()
            template = self._plans[set_plan[row]].template
            for record in fields.records(template, body):
                learn(self.sessions[set_session[row]], record)

    def _uptime_bases(
        self,
        buffer: NDArray[np.uint8],
        index: messages.MessageIndex,
        set_session: NDArray[np.int64],
        set_plan: NDArray[np.int64],
        records: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Moment of uptime zero for each set."""
        message = index.set_message
        base = index.export_ms[message] - index.uptime_ms[message]
        ipfix = np.flatnonzero((index.version[message] == 10) & (records > 0) & (set_plan >= 0))
        if not ipfix.size:
            return base
        uses = np.array([plan.uptime_field >= 0 for plan in self._plans], np.bool_)
        ipfix = ipfix[uses[set_plan[ipfix]]]
        # one set a session and batch bounds the start well enough, and costs nothing
        _, first = np.unique(set_session[ipfix], return_index=True)
        for row in ipfix[first]:
            session = self.sessions[set_session[row]]
            if not session.init_told:
                estimate_start(buffer, index, session, int(row), self._plans[set_plan[row]])
        starts = np.array([session.init_ms for session in self.sessions], np.int64)
        base[ipfix] = starts[set_session[ipfix]]
        return base

    # -- columns -----------------------------------------------------------------------------

    def _records(
        self,
        buffer: NDArray[np.uint8],
        set_offset: NDArray[np.int64],
        set_length: NDArray[np.int64],
        set_plan: NDArray[np.int64],
        records: NDArray[np.int64],
        context: Context,
    ) -> FlowTable:
        ends = np.cumsum(records)
        total = int(ends[-1]) if ends.size else 0
        first_row = ends - records
        used = records > 0
        plan_rows = np.unique(set_plan[used])
        scratch = any(self._plans[row].biflow or self._plans[row].application for row in plan_rows)
        blocks = (
            np.empty((layout.WIDE_WITH_SCRATCH if scratch else layout.WIDE, total), np.uint64),
            np.empty((layout.LONG, total), np.uint32),
            np.empty((layout.SHORT, total), np.uint16),
            np.empty((layout.BYTE, total), np.uint8),
        )
        decode_records(
            buffer,
            set_offset,
            set_length,
            np.where(used, set_plan, NO_PLAN),
            records,
            first_row,
            context.export_ms,
            context.uptime_base,
            self._packed_plans(),
            blocks,
        )
        wide, long = blocks[:2]
        long[layout.EXPORTER] = np.repeat(context.exporter, records)
        long[layout.DOMAIN] = np.repeat(context.domain, records)
        long[layout.FILE] = np.repeat(context.file, records)
        wide[layout.OFFSET] = np.repeat(context.place, records).view(np.uint64)
        finish_columns(self._plans, self.sessions, blocks, set_plan, records, first_row, context)
        table = as_table(blocks)
        if self._split:
            return with_reverse(self._plans, table, blocks, set_plan, records, plan_rows)
        return table

    # -- every field -------------------------------------------------------------------------

    def _keep_all(
        self,
        buffer: NDArray[np.uint8],
        index: messages.MessageIndex,
        set_plan: NDArray[np.int64],
        context: Context,
        session: NDArray[np.int64],
    ) -> None:
        for row in np.flatnonzero(set_plan >= 0):
            at, length = int(index.set_offset[row]), int(index.set_length[row])
            template = self._plans[set_plan[row]].template
            if not template.fields:
                continue
            message = index.set_message[row]
            body = buffer[at : at + length].tobytes()
            self.full_records.extend(
                full_records(template, body, context, int(row), int(index.sequence[message]))
            )

    def drain_full_records(self) -> Iterator[FullRecord]:
        """Records kept so far, each given once."""
        kept, self.full_records = self.full_records, []
        yield from kept


def _set_key(session_row: int, identifier: int) -> int:
    return (session_row << 16) | identifier
