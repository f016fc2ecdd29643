"""Which machines may be asked while evidence is read.

On a person's own machine the files of the bundle say which devices are asked. In a service the
bundle comes from somebody else, who could name any machine that the service can reach. There an
operator's file says what may be asked, and without one nothing may::

    networks: [192.0.2.0/24, 2001:db8:7::/48]
    ports: [80, 443, 554]

What counts is the address that a connection really goes to. A name is resolved once, every answer
is checked, and the connection goes to a checked address: a name that answers differently the next
time, a number in another notation and an IPv4 address inside an IPv6 one change nothing.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lenswatch.documents import read_document
from lenswatch.errors import UsageError

__all__ = ["OutsideScope", "confinement", "connect", "opener", "refuse_if_confined"]

VARIABLE: Final = "LENSWATCH_CONFINED_TO"
"""Tells the processes of audits: the file's path, or ``-`` where nothing may be asked."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class OutsideScope(PermissionError):
    """The machine may not be asked. The text names no address."""


@dataclass(frozen=True, slots=True)
class _Scope:
    networks: tuple[_Network, ...]
    ports: frozenset[int]

    def allows(self, address: str, port: int) -> bool:
        """Whether a connection may go there; ``address`` as the system resolved it."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if found.version == 6 and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return port in self.ports and any(
            found.version == network.version and found in network for network in self.networks
        )


def confinement(file: Path | None) -> dict[str, str]:
    """Environment of a process that may ask what the file allows alone; None allows nothing.

    Raises UsageError for a file that cannot be used.
    """
    if file is None:
        return {VARIABLE: "-"}
    _read(file)
    return {VARIABLE: str(file.absolute())}


def refuse_if_confined() -> None:
    """Raise OutsideScope in a process that is confined: for what no scope can allow."""
    if os.environ.get(VARIABLE):
        raise OutsideScope("a service reads dumps of databases, and asks no server")


def _addresses(host: str, port: int) -> list[Any]:
    """The addresses of a machine, as ``getaddrinfo`` gives them, all of which may be asked.

    Raises OutsideScope, and OSError where the name cannot be resolved.
    """
    word = os.environ.get(VARIABLE, "")
    if word == "-":
        raise OutsideScope("this service asks no live devices: its operator gave no --live-scope")
    scope = _read(Path(word)) if word else None
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if scope is not None and not all(scope.allows(str(entry[4][0]), port) for entry in found):
        raise OutsideScope("outside the networks and ports that this service may ask")
    return found


def connect(host: str, port: int, timeout: float | None) -> socket.socket:
    """A connection to an address that was checked; raises OutsideScope or OSError."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in _addresses(host, port):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure or OSError("the name has no address")


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        """Resolve, check, connect."""
        self.sock = connect(self.host, self.port, self.timeout)


class _SecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        """Resolve, check, connect, and ask for the certificate of the name."""
        context: Any = self._context  # type: ignore[attr-defined]
        plain = connect(self.host, self.port, self.timeout)
        self.sock = context.wrap_socket(plain, server_hostname=self.host)


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Over a checked connection."""
        return self.do_open(_Connection, request)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Over a checked connection."""
        return self.do_open(_SecureConnection, request)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead to a host outside the scope."""

    def redirect_request(self, *_arguments: object, **_keywords: object) -> None:
        """Follow none."""


def opener() -> urllib.request.OpenerDirector:
    """Opens http and https addresses inside the scope, without proxy and redirects."""
    return urllib.request.build_opener(
        _Handler, _SecureHandler, _NoRedirect, urllib.request.ProxyHandler({})
    )


def _read(file: Path) -> _Scope:
    try:
        content = read_document(file).content
        if set(content) - {"networks", "ports"}:
            raise ValueError
        networks = tuple(ipaddress.ip_network(text) for text in content["networks"])
        ports = frozenset(int(port) for port in content.get("ports", (80, 443, 554)))
        if not networks:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            f"{file}: a scope file reads `networks: [192.0.2.0/24]` and, if need be, `ports: [80]`"
        ) from None
    return _Scope(networks, ports)
