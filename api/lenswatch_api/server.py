"""Running the service under uvicorn."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from lenswatch.errors import UsageError
from lenswatch_api.app import create_app
from lenswatch_api.authorization import Role
from lenswatch_api.keys.service import FIRST_TENANT, make_first_key, make_key
from lenswatch_api.middleware import JsonFormatter
from lenswatch_api.protocol import BoundedProtocol
from lenswatch_api.settings import Settings


def run(settings: Settings, *, host: str, port: int, new_key: Role | None = None) -> None:
    """Serve until SIGINT or SIGTERM; running audits go on after the next start.

    Raises UsageError where the directory, the address or the database cannot be used.
    """
    os.umask(0o077)
    _log_as_json()
    try:
        app = create_app(settings)
    except OSError as error:
        raise UsageError(
            f"the data directory cannot be used ({error.strerror}); choose another with --data"
        ) from None
    database = app.state.service.database
    try:
        database.upgrade()
        key = make_first_key(database)
        if key is None and new_key is not None:
            key = make_key(database, FIRST_TENANT, f"made by --new-{new_key}-key", new_key)
    except SQLAlchemyError as error:
        raise UsageError(
            f"the database cannot be used ({type(error).__name__}); is it running, and are the "
            "user, the password and the name in --database right?"
        ) from None
    listener = _listen(host, port)
    address = listener.getsockname()
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    print(f"lenswatch serves http://{shown}:{address[1]}  (data in {settings.data})")
    if key is not None:
        print(f"API key, shown only now: {key}")
    sys.stdout.flush()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # middleware.Observed writes it, without addresses
        server_header=False,
        proxy_headers=settings.secure_cookies,
        forwarded_allow_ips="*" if settings.secure_cookies else None,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=15,
        http=BoundedProtocol,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn stops gracefully and then raises the signal again: by then it has done its work
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port} ({error.strerror}); "
            "choose another with --host or --port"
        ) from None
    return listener


def _log_as_json() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("lenswatch", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO)
