"""Runs inside the device's own namespaces, and becomes the device.

Started by :mod:`lenswatch.harness.command` below ``unshare``. Makes the TUN device and hands it to
the harness, makes the file system read-only but for the device's own folders, gives up all rights,
and executes the device's program.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 1, 0x1000
_MOUNT_SETATTR = 442
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_RDONLY, _MS_BIND = 1, 4096


def main() -> None:
    """Arguments: a socket's descriptor, and everything else as JSON."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    order = json.loads(sys.argv[2])
    try:
        _network(channel, order["addresses"], order["name_server"], Path(order["resolver"]))
        _files(order["writable"])
    except (OSError, subprocess.CalledProcessError) as error:
        channel.sendall(json.dumps({"fault": f"{type(error).__name__}: {error}"}).encode())
        sys.exit(125)
    channel.close()
    os.chdir(order["folder"])
    command = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--"]
    os.execvpe(command[0], [*command, *order["run"]], order["environment"])  # noqa: S606


def _network(
    channel: socket.socket, addresses: list[str], name_server: str, resolver: Path
) -> None:
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", b"lw0", _IFF_TUN | _IFF_NO_PI))
    for command in (
        "ip link set lo up",
        f"ip addr add {addresses[0]}/30 dev lw0",
        "ip link set lw0 up mtu 1500 txqueuelen 10000",
        "ip route add default dev lw0",
    ):
        subprocess.run(command.split(), check=True, capture_output=True)  # noqa: S603
    for command in (f"ip -6 addr add {addresses[1]}/126 dev lw0 nodad",
                    "ip -6 route add default dev lw0"):  # fmt: skip
        # a machine without IPv6 has nothing that a device could send over it
        subprocess.run(command.split(), check=False, capture_output=True)  # noqa: S603
    resolver.write_text(f"nameserver {name_server}\noptions attempts:1 timeout:2\n", "utf-8")
    _bind(str(resolver), str(Path("/etc/resolv.conf").resolve()))
    # the namespace goes along: what the device sent last must be read before it may vanish
    space = os.open("/proc/self/ns/net", os.O_RDONLY)
    rights = array.array("i", [tun, space])
    channel.sendmsg([b"{}"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    os.close(tun)
    os.close(space)


def _files(writable: list[str]) -> None:
    for folder in writable:
        _bind(folder, folder)
    _set_read_only("/", True)
    for folder in writable:
        _set_read_only(folder, False)


_libc = ctypes.CDLL(None, use_errno=True)


def _bind(source: str, target: str) -> None:
    if _libc.mount(source.encode(), target.encode(), None, _MS_BIND, None):
        raise OSError(ctypes.get_errno(), f"cannot bind {target}")


def _set_read_only(folder: str, value: bool) -> None:
    attributes = struct.pack("QQQQ", *((_RDONLY, 0) if value else (0, _RDONLY)), 0, 0)
    if _libc.syscall(
        _MOUNT_SETATTR, _AT_FDCWD, folder.encode(), _AT_RECURSIVE if value else 0,
        attributes, len(attributes),
    ):  # fmt: skip
        raise OSError(ctypes.get_errno(), f"cannot change {folder}")


if __name__ == "__main__":
    main()
