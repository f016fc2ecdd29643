"""Requests: the key, repetition where it is safe, and errors as the service words them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

import lenswatch
from lenswatch.errors import LenswatchError, UsageError
from lenswatch_api.problems import Problem

Answer = TypeVar("Answer")

PREFIX = "/api/v1"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_ATTEMPTS = 6
_LONGEST_WAIT_SECONDS = 30.0
_TRY_AGAIN = (429, 503)


class ServiceError(LenswatchError):
    """The service refused a request; the text is the service's own."""

    def __init__(self, problem: Problem) -> None:
        wrong = "; ".join(f"{part.location}: {part.message}" for part in problem.errors)
        super().__init__(f"{problem.detail} ({wrong})" if wrong else problem.detail)
        self.status = problem.status
        self.kind = problem.type.removeprefix("urn:lenswatch:")
        """The kind of problem, such as ``not-found``."""
        self.problem = problem


class ServiceUnreachable(LenswatchError):
    """No answer, or one that does not come from a lenswatch service."""


class Transport:
    """One connection pool to one service, with one key.

    Requests that change nothing, and those with an ``Idempotency-Key``, are repeated with growing
    pauses where the line breaks or the service says that it cannot answer now.
    """

    def __init__(
        self,
        server: str,
        key: str,
        *,
        timeout_seconds: float = 120.0,
        plain_http: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``server`` is the address without ``/api/v1``; ``plain_http`` allows ``http://`` to
        another machine, which shows key and evidence to everybody on the way. Raises UsageError.
        """
        address = _address(server, plain_http)
        if not (key and key.isascii() and key.isprintable() and " " not in key):
            raise UsageError("the API key is not one: it looks like lw_... and has no spaces")
        self._client = httpx.Client(
            base_url=address,
            headers={
                "Authorization": f"Bearer {key}",
                "User-Agent": f"lenswatch/{lenswatch.__version__}",
            },
            timeout=httpx.Timeout(timeout_seconds, connect=10.0),
            # a redirect could take the key elsewhere, and so could a proxy of the environment
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self,
        kind: type[Answer] | Any,
        method: str,
        path: str,
        *,
        query: BaseModel | Mapping[str, str] | None = None,
        body: BaseModel | None = None,
    ) -> Any:
        """Ask, and read the JSON of the answer as ``kind``; None for an answer without a body."""
        content = None if body is None else body.model_dump_json().encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        return self._read(kind, self.send(method, path, query, content, headers))

    def make(
        self,
        kind: type[Answer],
        path: str,
        body: BaseModel | bytes,
        *,
        query: BaseModel | None = None,
        media_type: str = "application/json",
        idempotency_key: str | None = None,
    ) -> Answer:
        """Make something once, however often the line breaks."""
        content = body if isinstance(body, bytes) else body.model_dump_json().encode()
        headers = {
            "Content-Type": media_type,
            "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
        }
        made: Answer = self._read(kind, self.send("POST", path, query, content, headers))
        return made

    def send(
        self,
        method: str,
        path: str,
        query: BaseModel | Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request, repeated where that is safe; raises ServiceError or ServiceUnreachable."""
        headers = dict(headers or {})
        if isinstance(query, BaseModel):
            query = query.model_dump(mode="json", exclude_none=True)
        safe = method in ("GET", "HEAD", "DELETE") or "Idempotency-Key" in headers
        left = _ATTEMPTS if safe else 1
        pause = 0.5
        while True:
            left -= 1
            try:
                response = self._client.request(
                    method, path, params=query, content=content, headers=headers
                )
                if response.status_code not in _TRY_AGAIN or not left:
                    return _checked(response)
                time.sleep(_wait(response, pause))
            except httpx.TransportError as error:
                if not left:
                    raise _unreachable(self._client, error) from None
                time.sleep(pause)
            pause *= 2

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str] | None = None, *, quiet_seconds: float = 60.0
    ) -> Iterator[httpx.Response]:
        """A GET whose answer is read as it comes; raises like :meth:`send`."""
        timeout = httpx.Timeout(quiet_seconds, connect=10.0)
        try:
            with self._client.stream("GET", path, headers=headers, timeout=timeout) as response:
                if response.status_code >= 300:
                    response.read()
                yield _checked(response)
        except httpx.TransportError as error:
            raise _unreachable(self._client, error) from None

    def _read(self, kind: Any, response: httpx.Response) -> Any:
        if response.status_code == 204:
            return None
        try:
            return TypeAdapter(kind).validate_json(response.content)
        except ValidationError:
            raise ServiceUnreachable(
                f"{self._client.base_url.host} gave an answer that this version does not "
                "understand. Are service and client of the same version?"
            ) from None


def _address(server: str, plain_http: bool) -> httpx.URL:
    try:
        address = httpx.URL(server.rstrip("/"))
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host or address.userinfo:
        raise UsageError("the server is an address such as https://audits.example.org")
    if address.scheme == "http" and address.host not in _LOCAL and not plain_http:
        raise UsageError(
            "the server's address must begin with https://: over http:// everybody on the way "
            "could read the key"
        )
    return address


def _checked(response: httpx.Response) -> httpx.Response:
    if response.status_code >= 300 and response.status_code != 304:
        raise _refusal(response)
    return response


def _refusal(response: httpx.Response) -> LenswatchError:
    try:
        return ServiceError(Problem.model_validate_json(response.content))
    except ValidationError:
        pass
    if response.request.method == "HEAD":  # a problem without its words
        return ServiceError(
            Problem(
                type="urn:lenswatch:unknown",
                title="",
                status=response.status_code,
                detail=f"The service answered {response.status_code}.",
            )
        )
    return ServiceUnreachable(
        f"{response.request.url.host} answered {response.status_code}, and not as a lenswatch "
        "service does. Is the address right?"
    )


def _unreachable(client: httpx.Client, error: httpx.TransportError) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"{client.base_url.host} does not answer ({type(error).__name__}). Is the service "
        "running, and the address right?"
    )


def _wait(response: httpx.Response, otherwise: float) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text), _LONGEST_WAIT_SECONDS) if text.isdecimal() else otherwise


def events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The server-sent events of an answer: name, and what their JSON says."""
    name, data = "message", ""
    for line in response.iter_lines():
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield name, json.loads(data)
            name, data = "message", ""
        elif field == "event":
            name = value
        elif field == "data":
            data += value
