"""Follows the sequence numbers of exporters and counts what is missing.

RFC 7011 section 3.1 counts data records sent before the message, NetFlow v9 (RFC 3954 section 5.1)
messages, v5 records. Some exporters (softflowd 1.1.0) count the message's own records in: both
readings are followed, and the caller believes the one with fewer breaks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel

EXPECTED, GAPS, LOST, LATE, EXPECTED_OWN, GAPS_OWN, LOST_OWN, RESTARTS = range(8)
"""Columns of the state: next number by the RFC (-1: none yet), breaks, units missing at them,
messages that came late; the same three by the reading that counts own records; restarts."""

COLUMNS = 8
_FAR = 1 << 31
_DISORDER = 4096
"""Steps back by less than this are late messages, by more a restart of the exporter."""


def new_state(sessions: int) -> NDArray[np.int64]:
    """State of ``sessions`` exporters of which nothing has been seen: (sessions, 8)."""
    state = np.zeros((sessions, COLUMNS), np.int64)
    state[:, EXPECTED] = -1
    state[:, EXPECTED_OWN] = -1
    return state


def follow_sequences(
    session: NDArray[np.int64],
    sequence: NDArray[np.uint32],
    units: NDArray[np.int64],
    state: NDArray[np.int64],
) -> None:
    """Advance ``state`` by the messages, in the order they came.

    ``units`` is what each message adds to the sequence; -1 where that is not known (a set whose
    template is missing), after which the next message starts afresh. O(messages).
    """
    if session.shape != sequence.shape or session.shape != units.shape:
        raise ValueError("session, sequence and units must be equally long")
    if state.ndim != 2 or state.shape[1] != COLUMNS:
        raise ValueError(f"state: expected {COLUMNS} columns")
    if session.size and (session.min() < 0 or session.max() >= state.shape[0]):
        raise ValueError("a session has no state")
    _follow(session, sequence, units, state)


@leaf_kernel
def _follow(
    session: NDArray[np.int64],
    sequence: NDArray[np.uint32],
    units: NDArray[np.int64],
    state: NDArray[np.int64],
) -> None:
    mask = np.int64(0xFFFFFFFF)
    for row in range(session.shape[0]):
        who = session[row]
        number = np.int64(sequence[row])
        known = units[row] >= 0
        added = units[row] if known else np.int64(0)
        expected = state[who, EXPECTED]
        late = False
        if expected >= 0:
            ahead = (number - expected) & mask
            if ahead != 0:
                back = (expected - number) & mask
                if ahead < _FAR:
                    state[who, GAPS] += 1
                    state[who, LOST] += ahead
                elif back <= _DISORDER:
                    late = True
                    state[who, LATE] += 1
                    state[who, LOST] = max(np.int64(0), state[who, LOST] - added)
                else:
                    state[who, RESTARTS] += 1
        own = state[who, EXPECTED_OWN]
        if own >= 0 and known:
            ahead = (number - own - added) & mask
            if ahead != 0:
                state[who, GAPS_OWN] += 1
                if ahead < _FAR:
                    state[who, LOST_OWN] += ahead
        if known:
            if not late:
                state[who, EXPECTED] = (number + added) & mask
            state[who, EXPECTED_OWN] = number
        else:
            state[who, EXPECTED] = -1
            state[who, EXPECTED_OWN] = -1
