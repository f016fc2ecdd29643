"""Still pictures of the live cameras over HTTP, for whoever proves the password by digest."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from lenswatch_sim.live import http
from lenswatch_sim.live.nodes import Hardware, LiveNode
from lenswatch_sim.protocols import digest

PATH = "/onvif/snapshot/"
_REALM = "onvif"
_MOST_NONCES = 10_000


class Snapshots:
    """Answers ``GET /onvif/snapshot/NODE_ID.jpg``; clips lie below ``bundle``."""

    def __init__(self, hardware: Hardware, bundle: Path) -> None:
        self._account = hardware
        self._bundle = bundle
        self._nonces: set[str] = set()
        self.refused = 0

    async def __call__(self, node: LiveNode, request: http.Request) -> http.Response:
        """A JPEG of one of the node's channels, or the challenge to prove the password."""
        line = request.headers.get("authorization", "")
        nonce = next((n for n in self._nonces if n in line), "")
        password, path = self._account.password, request.target
        proven = nonce and digest.is_proven(line, _REALM, "GET", path, password, nonce)
        if not proven or digest.user_of(line) != self._account.user:
            self.refused += bool(line)
            if len(self._nonces) > _MOST_NONCES:
                self._nonces.clear()
            fresh = secrets.token_hex(12)
            self._nonces.add(fresh)
            return http.Response(401, headers={"WWW-Authenticate": digest.challenge(_REALM, fresh)})
        self._nonces.discard(nonce)
        name = path.removeprefix(PATH).removesuffix(".jpg")
        channel = next((c for c in node.channels if c.node_id == name), None)
        if channel is None:
            return http.Response(404)
        picture = await asyncio.to_thread(_first_picture, self._bundle / channel.clip)
        return http.Response(200, picture, "image/jpeg")


def _first_picture(clip: Path) -> bytes:
    """The first picture of a clip as a JPEG."""
    import av
    import cv2

    with av.open(str(clip)) as box:
        picture = next(box.decode(video=0)).to_ndarray(format="bgr24")
    return cv2.imencode(".jpg", picture)[1].tobytes()
