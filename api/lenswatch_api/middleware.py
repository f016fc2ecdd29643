"""Around every request: security headers, a bound on bodies, counters and one line of log."""

from __future__ import annotations

import json
import logging
import re
import time
import traceback

from anyio import fail_after
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lenswatch_api.identifiers import new_id
from lenswatch_api.metrics import Metrics

access_logger = logging.getLogger("lenswatch.access")

SMALL_BODY_BYTES = 1024 * 1024
_UPLOAD = re.compile(r"^/api/v1/(deployments/[^/]+/bundles|uploads/[^/]+)$")

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Headers that hold for every answer; an endpoint may set its own value."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self._app = app
        self._headers = dict(_HEADERS)
        if secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add them when the answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


BODY_IDLE_SECONDS = 60.0


class BodyLimit:
    """Refuses bodies that are too large or too slow.

    Above 1 MiB everywhere but at the uploads, which count for themselves; everywhere after a minute
    without a byte, so that nobody holds connections open by sending nothing.
    """

    def __init__(self, app: ASGIApp, idle_seconds: float = BODY_IDLE_SECONDS) -> None:
        self._app = app
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives, and how fast."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = _UPLOAD.match(scope["path"]) is not None
        received = 0
        complete = False

        async def counted() -> Message:
            nonlocal received, complete
            if complete:  # whoever asks now waits for the caller to go away
                return await receive()
            try:
                with fail_after(self._idle_seconds):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408, f"No byte of the body arrived for {self._idle_seconds:g} seconds."
                ) from None
            complete = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > SMALL_BODY_BYTES and not is_upload:
                raise HTTPException(413, f"The body is larger than {SMALL_BODY_BYTES} bytes.")
            return message

        await self._app(scope, counted, send)


class Observed:
    """Counts requests and writes one line each: route, status, time. No address, no query."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure until the answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = new_id("req")
        status = 500
        seconds = 0.0

        async def observed(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status = message["status"]
                seconds = time.perf_counter() - started
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            route = _route(scope)
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._metrics.requests.labels(method, route, f"{status // 100}xx").inc()
            self._metrics.seconds.labels(route).observe(seconds)
            principal = scope.get("state", {}).get("principal")
            access_logger.info(
                "request",
                extra={
                    "fields": {
                        "request_id": request_id,
                        "method": method,
                        "route": route,
                        "status": status,
                        "milliseconds": round(seconds * 1000, 1),
                        "key_id": principal.key_id if principal is not None else None,
                    }
                },
            )


def _route(scope: Scope) -> str:
    """The pattern of the address, with names for its variable parts."""
    route = getattr(scope.get("route"), "path_format", None)
    if route is None:
        return "unmatched"
    # a route of an included router may know its path without the router's prefix
    prefix = "/api/v1"
    if scope["path"].startswith(f"{prefix}/") and not route.startswith(f"{prefix}/"):
        return f"{prefix}{route}"
    return str(route)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Texts come from this program, never from a request."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[2] is not None:
            places = [
                f"{frame.f_globals.get('__name__', '?')}:{line}"
                for frame, line in traceback.walk_tb(record.exc_info[2])
            ]
            # the type only: the text of an error may quote what was sent
            entry["error"] = type(record.exc_info[1]).__name__
            entry["trace"] = places[-12:]
        return json.dumps(entry)
