"""GA/T 1400 on loopback: a platform that takes pictures of faces, and cameras that push them."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import UTC, datetime
from typing import Any

from lenswatch_sim.live import http
from lenswatch_sim.protocols import digest, viid
from lenswatch_sim.protocols.viid import Face

_TAKEN = {"/VIID/System/Register", "/VIID/System/Keepalive", "/VIID/Faces"}
_NOTIFIED = "/VIID/SubscribeNotifications"


class ViidError(RuntimeError):
    """The platform refused."""


class Platform:
    """Counts faces of registered devices, and passes them to a platform above where there is one.

    Nothing that arrives is kept.
    """

    def __init__(self, identity: str, password: str, upper: Client | None = None) -> None:
        self.identity = identity
        self._password = password
        self._upper = upper
        self._nonces: set[str] = set()
        self.registered: set[str] = set()
        self.faces = self.refused = self.octets = 0

    async def __call__(self, request: http.Request) -> http.Response:
        """Handle one HTTP request."""
        path, user = request.target, request.headers.get("user-identify", "")
        if request.method != "POST" or path not in {*_TAKEN, _NOTIFIED}:
            return http.Response(404)
        if path == "/VIID/System/Register":
            line = request.headers.get("authorization", "")
            nonce = next((n for n in self._nonces if n in line), "")
            if not nonce or not digest.is_proven(
                line, viid.REALM, "POST", path, self._password, nonce
            ):
                return self._challenge(bool(line))
            self._nonces.discard(nonce)
            self.registered.add(user)
        elif user not in self.registered:
            self.refused += 1
            return http.Response(403)
        try:
            content = json.loads(request.body)
            identities = await self._take(path, content, user)
        except (ValueError, KeyError, TypeError):
            return http.Response(400)
        told = viid.done(path, identities, datetime.now(UTC))
        return http.Response(200, json.dumps(told).encode(), viid.TYPE)

    def _challenge(self, again: bool) -> http.Response:
        self.refused += again
        if len(self._nonces) > 10_000:
            self._nonces.clear()
        nonce = secrets.token_hex(12)
        self._nonces.add(nonce)
        return http.Response(401, headers={"WWW-Authenticate": digest.challenge(viid.REALM, nonce)})

    async def _take(self, path: str, content: Any, user: str) -> list[str]:
        if path.startswith("/VIID/System/"):
            return [user]
        if path == _NOTIFIED:
            notes = content["SubscribeNotificationListObject"]["SubscribeNotificationObject"]
            pushed = [face for note in notes for face in note["FaceObjectList"]["FaceObject"]]
            told = [str(note["NotificationID"]) for note in notes]
        else:
            pushed = content["FaceListObject"]["FaceObject"]
            told = [str(face["FaceID"]) for face in pushed]
        self.faces += len(pushed)
        self.octets += sum(
            len(image["Data"])
            for face in pushed
            for image in face["SubImageList"]["SubImageInfoObject"]
        )
        if self._upper is not None:
            passed = {"FaceListObject": {"FaceObject": pushed}}
            await self._upper.notify(passed)
        return told


class Client:
    """A camera, or a platform towards the one above."""

    def __init__(
        self, identity: str, password: str, host: str, port: int, source: str = ""
    ) -> None:
        self.identity = identity
        self._password = password
        self._host, self._port, self._source = host, port, source
        self.pushed = 0

    async def register(self) -> None:
        """Register with a digest. Raises :class:`ViidError` and ``OSError``."""
        path, content = "/VIID/System/Register", viid.register(self.identity)
        told = await self._post(path, content)
        if told.status == 401:
            challenge = told.headers.get("www-authenticate", "")
            proof = digest.proof(
                challenge, "POST", path, self.identity, self._password, secrets.token_hex(8)
            )
            told = await self._post(path, content, proof)
        if told.status != 200:
            raise ViidError(f"registration refused with {told.status}")

    async def push(self, faces: list[Face]) -> None:
        """Push captured faces. Raises :class:`ViidError` and ``OSError``."""
        told = await self._post("/VIID/Faces", viid.faces(self.identity, faces))
        if told.status != 200:
            raise ViidError(f"faces refused with {told.status}")
        self.pushed += len(faces)

    async def notify(self, content: Any) -> None:
        """Pass faces of devices below to the platform above."""
        body = viid.notification(self.identity, f"{self.identity}03", datetime.now(UTC), content)
        told = await self._post(_NOTIFIED, body)
        if told.status != 200:
            raise ViidError(f"notification refused with {told.status}")
        self.pushed += len(content["FaceListObject"]["FaceObject"])

    async def push_for_ever(self, every_s: float = 3.0) -> None:
        """A face every few seconds; run it as a task."""
        number = 0
        while True:
            number += 1
            moment = datetime.now(UTC)
            await self.push([Face(number, moment, 100, 60, 64, secrets.token_bytes(900))])
            await asyncio.sleep(every_s)

    async def _post(self, path: str, content: Any, proof: str = "") -> http.Response:
        host = f"{self._host}:{self._port}"
        message = viid.post(path, host, self.identity, content, proof)
        return await http.exchange(self._host, self._port, message, self._source)
