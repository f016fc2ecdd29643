"""GA/T 1400 messages: pictures of faces pushed over HTTP as JSON, without any video.

The pictures in here are chance of a small size, never an image.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

TYPE = "application/VIID+JSON;charset=UTF-8"
REALM = "VIID"


@dataclass(frozen=True)
class Face:
    """One captured face: numbers and a picture of ``octets`` chance."""

    number: int
    moment: datetime
    left: int
    top: int
    size: int
    picture: bytes


def post(path: str, host: str, user: str, content: Any, proof: str = "") -> bytes:
    """A finished HTTP request."""
    body = json.dumps(content, separators=(",", ":")).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"User-Identify: {user}",
        f"Content-Type: {TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: keep-alive",
        *([f"Authorization: {proof}"] if proof else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def register(device: str) -> dict[str, Any]:
    """Body of ``/VIID/System/Register``."""
    return {"RegisterObject": {"DeviceID": device}}


def keepalive(device: str) -> dict[str, Any]:
    """Body of ``/VIID/System/Keepalive``."""
    return {"KeepaliveObject": {"DeviceID": device}}


def faces(device: str, captured: list[Face]) -> dict[str, Any]:
    """Body of ``/VIID/Faces``."""
    return {"FaceListObject": {"FaceObject": [_face(device, face) for face in captured]}}


def _face(device: str, face: Face) -> dict[str, Any]:
    moment = f"{face.moment:%Y%m%d%H%M%S}"
    source = f"{device}02{moment}{face.number % 100_000:05d}"
    image = {
        "ImageID": f"{source}01",
        "EventSort": 10,
        "DeviceID": device,
        "StoragePath": "",
        "Type": "11",
        "FileFormat": "Jpeg",
        "ShotTime": moment,
        "Width": face.size,
        "Height": face.size,
        "Data": base64.b64encode(face.picture).decode(),
    }
    return {
        "FaceID": f"{source}06{face.number % 100_000:05d}",
        "InfoKind": 1,
        "SourceID": source,
        "DeviceID": device,
        "LeftTopX": face.left,
        "LeftTopY": face.top,
        "RightBtmX": face.left + face.size,
        "RightBtmY": face.top + face.size,
        "FaceAppearTime": moment,
        "IsDriver": 0,
        "IsForeigner": 0,
        "IsSuspectedTerrorist": 0,
        "IsCriminalInvolved": 0,
        "IsDetainees": 0,
        "IsVictim": 0,
        "IsSuspiciousPerson": 0,
        "SubImageList": {"SubImageInfoObject": [image]},
    }


def notification(platform: str, subscription: str, moment: datetime, content: Any) -> Any:
    """Body of ``/VIID/SubscribeNotifications``: how a platform passes faces to the one above."""
    held = content["FaceListObject"]["FaceObject"]
    return {
        "SubscribeNotificationListObject": {
            "SubscribeNotificationObject": [
                {
                    "NotificationID": f"{platform[:6]}0000000004{moment:%Y%m%d%H%M%S}00001",
                    "SubscribeID": subscription,
                    "Title": "faces",
                    "TriggerTime": f"{moment:%Y%m%d%H%M%S}",
                    "InfoIDs": ",".join(face["FaceID"] for face in held),
                    "FaceObjectList": content["FaceListObject"],
                }
            ]
        }
    }


def done(path: str, identities: list[str], moment: datetime) -> Any:
    """Answer to a push or a registration."""
    statuses = [
        {
            "Id": identity,
            "LocalTime": f"{moment:%Y%m%d%H%M%S}",
            "RequestURL": path,
            "StatusCode": 0,
            "StatusString": "OK",
        }
        for identity in identities
    ]
    if path.startswith("/VIID/System/"):
        return {"ResponseStatusObject": statuses[0]}
    return {"ResponseStatusListObject": {"ResponseStatusObject": statuses}}


def response(status: str, content: Any, extra: str = "") -> bytes:
    """A finished HTTP answer, for captures."""
    body = json.dumps(content, separators=(",", ":")).encode() if content is not None else b""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {TYPE}\r\nContent-Length: {len(body)}\r\n"
    return (head + (f"{extra}\r\n" if extra else "")).encode() + b"\r\n" + body
