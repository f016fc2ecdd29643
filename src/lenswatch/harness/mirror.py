"""Captures a device's traffic at an interface of this machine that mirrors its port."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from ipaddress import ip_address
from pathlib import Path

_ALL = 0x0003
"""ETH_P_ALL of linux/if_ether.h."""
_LINK_ETHERNET = 1
_TO_DRAIN_S = 5.0


class Mirror:
    """Writes every packet from and to one address, but for the conversations that we began.

    ``own`` are ports of the device at which the harness itself is a client: what the device answers
    there is no sending.
    """

    def __init__(self, interface: str, address: str, own: set[int], offset_s: float) -> None:
        self._interface = interface
        self._address = ip_address(address).packed
        self._own = own
        self._offset_ns = int(offset_s * 1e9)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._fault = ""
        self._until = 0.0

    def start(self, path: Path) -> str:
        """Begin; why it cannot be done, or an empty text."""
        link = None
        try:
            link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
            link.bind((self._interface, 0))
        except OSError as error:
            if link is not None:
                link.close()
            return f"the interface cannot be listened at ({error.strerror})"
        self._thread = threading.Thread(
            target=self._listen, args=(link, path), name="mirror", daemon=True
        )
        self._thread.start()
        return ""

    def stop(self) -> str:
        """End; why the capture may not hold everything, or an empty text."""
        self._until = time.monotonic() + _TO_DRAIN_S
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
        return self._fault

    def _listen(self, link: socket.socket, path: Path) -> None:
        try:
            with link, path.open("wb") as file:
                file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, _LINK_ETHERNET))
                while not (self._stop.is_set() and time.monotonic() > self._until):
                    if not select.select([link], [], [], 0.1)[0]:
                        if self._stop.is_set():
                            break  # everything that had come is read
                        continue
                    frame = link.recv(262_144)
                    if self.wanted(frame):
                        now = time.time_ns() + self._offset_ns
                        head = (now // 10**9, now % 10**9, len(frame), len(frame))
                        file.write(struct.pack("<IIII", *head) + frame)
                lost = struct.unpack("II", link.getsockopt(263, 6, 8))[1]  # PACKET_STATISTICS
                if lost:
                    self._fault = f"{lost} packets were lost at the interface"
        except OSError as error:
            self._fault = f"the capture broke off ({error.strerror})"

    def wanted(self, frame: bytes) -> bool:
        """Whether a frame is the device's, and not part of a conversation of ours."""
        kind, place = frame[12:14], 14
        while kind in (b"\x81\x00", b"\x88\xa8"):  # VLAN tags
            kind, place = frame[place + 2 : place + 4], place + 4
        if kind == b"\x08\x00" and len(frame) >= place + 20:
            source, target = frame[place + 12 : place + 16], frame[place + 16 : place + 20]
            protocol, body = frame[place + 9], place + (frame[place] & 15) * 4
        elif kind == b"\x86\xdd" and len(frame) >= place + 40:
            source, target = frame[place + 8 : place + 24], frame[place + 24 : place + 40]
            protocol, body = frame[place + 6], place + 40
        else:
            return False
        if self._address not in (source, target):
            return False
        if protocol == 6 and len(frame) >= body + 4:
            ports = struct.unpack_from("!HH", frame, body)
            here = ports[0] if source == self._address else ports[1]
            return here not in self._own
        return True
