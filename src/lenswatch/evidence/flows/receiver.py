"""Takes UDP datagrams off a socket many at a time, and counts those the system dropped."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.table import IPV4_MAPPED

SLOTS = 128
"""Datagrams taken by one system call."""
_SLOT_BYTES = 65536
_NAME_BYTES = 32
_CONTROL_BYTES = 32
_SO_RXQ_OVFL = 40
_SO_RCVBUFFORCE = 33
_MSG_WAITFORONE = 0x10000


@dataclass(frozen=True, slots=True)
class Received:
    """Datagrams in the order they arrived, packed one after the other."""

    buffer: NDArray[np.uint8]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    high: NDArray[np.uint64]
    """Sender's address, upper half."""
    low: NDArray[np.uint64]


def open_socket(host: str, port: int, buffer_bytes: int) -> socket.socket:
    """A bound UDP socket with as large a receive buffer as the system gives."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
            try:
                opened.setsockopt(socket.SOL_SOCKET, option, buffer_bytes)
                break
            except OSError:
                continue
        opened.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        timeout = struct.pack("@ll", 0, 100_000)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


class Receiver:
    """Wraps a socket of `open_socket`; Linux only (``recvmmsg``)."""

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        self._call = ctypes.CDLL(None, use_errno=True).recvmmsg
        self._buffer = np.zeros((SLOTS, _SLOT_BYTES), np.uint8)
        self._names = np.zeros((SLOTS, _NAME_BYTES), np.uint8)
        self._control = np.zeros((SLOTS, _CONTROL_BYTES), np.uint8)
        self._vectors = np.zeros((SLOTS, 2), np.uint64)
        # struct mmsghdr of 64-bit Linux as eight words: name, its length, vectors, their number,
        # control, its length, flags, received length
        self._headers = np.zeros((SLOTS, 8), np.uint64)
        number = np.arange(SLOTS, dtype=np.uint64)
        self._vectors[:, 0] = self._buffer.ctypes.data + number * np.uint64(_SLOT_BYTES)
        self._vectors[:, 1] = _SLOT_BYTES
        self._headers[:, 0] = self._names.ctypes.data + number * np.uint64(_NAME_BYTES)
        self._headers[:, 2] = self._vectors.ctypes.data + number * np.uint64(16)
        self._headers[:, 3] = 1
        self._headers[:, 4] = self._control.ctypes.data + number * np.uint64(_CONTROL_BYTES)
        self.dropped = 0
        """Datagrams the system dropped because the buffer was full, as of the last one taken."""

    def receive(self, *, wait: bool = True) -> Received | None:
        """Up to `SLOTS` datagrams; None where none came within a tenth of a second."""
        self._headers[:, 1] = _NAME_BYTES
        self._headers[:, 5] = _CONTROL_BYTES
        flags = _MSG_WAITFORONE if wait else socket.MSG_DONTWAIT
        taken = self._call(
            self._socket.fileno(),
            ctypes.c_void_p(self._headers.ctypes.data),
            ctypes.c_uint(SLOTS),
            ctypes.c_int(flags),
            None,
        )
        if taken <= 0:
            error = ctypes.get_errno()
            # EAGAIN: the time is up; EINTR: a signal; ECONNREFUSED: an old ICMP answer
            if taken < 0 and error not in (11, 4, 111):
                raise OSError(error, os.strerror(error))
            return None
        self._take_drops(taken)
        length = (self._headers[:taken, 7] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        offset = np.cumsum(length) - length
        packed = np.empty(int(length.sum()), np.uint8)
        for row in range(taken):
            packed[offset[row] : offset[row] + length[row]] = self._buffer[row, : length[row]]
        high, low = self._senders(taken)
        return Received(packed, offset, length, high, low)

    def _take_drops(self, taken: int) -> None:
        for row in range(taken - 1, -1, -1):
            if self._headers[row, 5] >= 20:
                length, level, kind, dropped = struct.unpack(
                    "@qiiI", self._control[row, :20].tobytes()
                )
                if length >= 20 and level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                    self.dropped = dropped
                    return

    def _senders(self, taken: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        names = self._names[:taken]
        if self._socket.family == socket.AF_INET:
            four = np.ascontiguousarray(names[:, 4:8]).view(">u4").reshape(-1).astype(np.uint64)
            return np.zeros(taken, np.uint64), four | np.uint64(IPV4_MAPPED)
        six = np.ascontiguousarray(names[:, 8:24]).view(">u8").astype(np.uint64)
        return six[:, 0].copy(), six[:, 1].copy()

    def dropped_finally(self) -> int:
        """Datagrams dropped at this socket up to now, from the system's own table.

        The counter that comes with datagrams misses drops after the last one taken.
        """
        inode = str(os.fstat(self._socket.fileno()).st_ino)
        for table in ("/proc/net/udp", "/proc/net/udp6"):
            try:
                lines = Path(table).read_text("ascii").splitlines()[1:]
            except OSError:
                continue
            for line in lines:
                cells = line.split()
                if len(cells) >= 13 and cells[9] == inode:
                    return max(self.dropped, int(cells[12]))
        return self.dropped

    @property
    def buffer_bytes(self) -> int:
        """Receive buffer the system gave, in bytes of its own accounting."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
