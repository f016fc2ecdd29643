"""Plant what must never come out, then search everything that comes out.

Planted in the evidence, whole files and broken ones: a texture that no other picture has, addresses
and a MAC of bystanders, a person's name, passwords. Searched: every file that an audit, its
publication and the service write, what they print and log, and every answer of the service.
Compressed and encoded content is unpacked first. The evidence itself is the only place where a
canary may be.
"""

from __future__ import annotations

import base64
import binascii
import io
import logging
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from lenswatch.cli import app
from lenswatch_api.app import create_app
from lenswatch_api.keys.service import make_first_key
from lenswatch_api.settings import Limits, Settings
from tests.api.conftest import upload, wait_for
from tests.lenswatch.evidence.recordings.test_frigate import build as frigate_store

pytestmark = pytest.mark.xdist_group("city")

BYSTANDERS = ("203.0.113.77", "198.51.100.99")
CAMERA, RECORDER, CLOUD = "10.0.0.1", "10.0.0.9", "192.0.2.50"
MAC = bytes.fromhex("02cafe77aa11")
TEXTURE = np.random.default_rng(77).integers(0, 256, (45, 80), dtype=np.uint8)
WORDS = ("canaryada", "canarypass", "canarycell", "canarynote", "Ada Example")


def canaries() -> dict[str, list[bytes]]:
    """What is searched for, by what it is; texts in every usual spelling."""
    digits = MAC.hex()
    pairs = [digits[i : i + 2] for i in range(0, 12, 2)]
    spellings = [
        ":".join(pairs),
        "-".join(pairs),
        digits,
        f"{digits[:4]}.{digits[4:8]}.{digits[8:]}",
    ]
    found = {
        "MAC": [*(s.encode() for s in spellings), *(s.upper().encode() for s in spellings), MAC],
        "word": [word.encode() for word in WORDS],
        "texture": [row.tobytes()[i : i + 12] for row in TEXTURE[::4] for i in (0, 30, 60)],
    }
    for address in BYSTANDERS:
        parts = [int(part) for part in address.split(".")]
        number = int.from_bytes(bytes(parts), "big")
        found[address] = [address.encode(), f"{number:08x}".encode(), str(number).encode()]
    return found


def unpacked(content: bytes, depth: int = 0) -> Iterator[bytes]:
    """Content, and whatever is compressed or encoded inside it."""
    yield content
    if depth > 2:
        return
    for match in re.finditer(rb"stream\r?\n", content):
        with_rest = content[match.end() :]
        try:
            yield from unpacked(zlib.decompressobj().decompress(with_rest), depth + 1)
        except zlib.error:
            continue
    if content[:2] == b"\x1f\x8b":
        yield from unpacked(zlib.decompressobj(31).decompress(content), depth + 1)
    for match in re.finditer(rb"base64,([A-Za-z0-9+/=]{40,})", content):
        try:
            yield from unpacked(base64.b64decode(match.group(1)), depth + 1)
        except binascii.Error:
            continue


def leaks(name: str, content: bytes) -> list[str]:
    """Canaries in some content, and pictures made of pixels, which no result holds at all."""
    found = []
    for piece in unpacked(content):
        for what, spellings in canaries().items():
            found += [f"{name}: {what}" for spelling in spellings if spelling in piece]
        for marker in (b"data:image/png", b"data:image/jpeg", b"data:image/webp", b"/Subtype/Image",
                       b"/Subtype /Image", b"\x89PNG\r\n", b"JFIF\x00"):  # fmt: skip
            found += [f"{name}: a picture ({marker!r})"] if marker in piece else []
    return found


def search(folder: Path, *, beside: str = "") -> list[str]:
    """Leaks in every file below a folder; ``beside`` is a part of the path of what is evidence."""
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and not (beside and beside in f"/{relative}"):
            found += leaks(relative, path.read_bytes()) + leaks(relative, relative.encode())
    return found


def clip(path: Path) -> Path:
    """A second of the texture, lossless, so that a copy of a frame would hold its very bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10, width=640, height=360)
        stream.pix_fmt = "yuv420p"
        luma = TEXTURE.repeat(8, 0).repeat(8, 1)
        luma[:45, :80] = TEXTURE
        chroma = np.full((180, 640), 128, np.uint8)
        picture = np.vstack([luma, chroma])
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        container.mux(stream.encode(None))
    return path


def packet(source: str, destination: str, port: int, size: int) -> bytes:
    """An Ethernet frame with a UDP datagram."""

    def raw(text: str) -> bytes:
        return bytes(int(part) for part in text.split("."))

    udp = struct.pack(">HHHH", 40000, port, 8 + size, 0) + bytes(size)
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, raw(source),
                       raw(destination))  # fmt: skip
    return MAC[::-1] + MAC + b"\x08\x00" + head + udp


def capture() -> bytes:
    """Video of the camera, and between its packets what bystanders send."""
    content = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for number in range(600):
        for source, destination, port, size in (
            (CAMERA, RECORDER, 554, 1200), (CAMERA, CLOUD, 443, 1200),
            (BYSTANDERS[0], BYSTANDERS[1], 443, 900), (BYSTANDERS[0], RECORDER, 53, 60),
        ):  # fmt: skip
            frame = packet(source, destination, port, size)
            second, part = divmod(number * 100_000, 1_000_000)
            content += struct.pack("<IIII", 1_763_942_000 + second, part, len(frame), len(frame))
            content += frame
    return content


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("canary") / "bundle"
    whole = clip(root / "video" / "cam-1" / "clip.mkv").read_bytes()
    (root / "video" / "cam-2").mkdir()
    (root / "video" / "cam-2" / "cut.mkv").write_bytes(whole[: len(whole) // 3])
    (root / "video" / "cam-2" / "noise.mkv").write_bytes(TEXTURE.tobytes())
    flows = root / "flows"
    flows.mkdir()
    (flows / "a.pcap").write_bytes(capture())
    (flows / "cut.pcap").write_bytes(capture()[:-700])
    (flows / "garbage.dat").write_bytes(f"{BYSTANDERS[0]} {MAC.hex(':')} canarynote".encode() * 99)
    (flows / "conn.log").write_text(
        "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tid.orig_p\tid.resp_p"
        f"\tproto\n#types\ttime\taddr\taddr\tport\tport\tenum\n1763942000.0\t{BYSTANDERS[0]}\t"
        f"{BYSTANDERS[1]}\tcanarycell\t443\ttcp\n{MAC.hex(':')}\tcanarynote\n"
    )
    (flows / "nfdump.csv").write_text(
        "ts,te,td,sa,da,sp,dp,pr,ipkt,ibyt\n2025-11-24 00:00:00,2025-11-24 00:00:01,1,"
        f"{BYSTANDERS[0]},canarycell,1,2,TCP,3,4\n"
    )
    store = frigate_store(root, "0.18")
    face = store / "clips" / "faces" / "canaryada"
    face.mkdir(parents=True)
    (face / "canaryada-1767225600.5.webp").write_bytes(TEXTURE.tobytes())
    (store / "config.yml").write_text(
        "cameras:\n  front:\n    ffmpeg:\n      inputs:\n"
        "        - path: rtsp://user:canarypass@10.0.0.1/live\n    zones: {canarynote: {}}\n"
        "record:\n  continuous: {days: canarycell}\n"
    )
    (root / "recordings" / "index.yaml").write_text(
        "version: 1\nstores:\n  - {id: s, system: frigate, node: rec, path: s, timezone: UTC,"
        " cameras: {front: cam-1}}\n"
    )
    (root / "deployment.yaml").write_text(
        "name: a street\nas_of: 2026-01-31T12:00:00Z\n"
        "declared: {retention_hours: 72, sinks: [rec]}\n"
    )
    (root / "nodes.csv").write_text(
        "node_id,kind,vendor,district,addresses,declared_upstream,width_px,lat,stream_url\n"
        f"cam-1,camera,Aldera,north,{CAMERA},rec,640,1.0,rtsp://u:canarypass@{CAMERA}/s\n"
        "cam-2,camera,Aldera,north,10.0.0.2,rec,canarycell,canarynote,\n"
        f"rec,recorder,Storwell,north,{RECORDER},,,,\n"
    )
    return root


def run(*arguments: str, code: tuple[int, ...] = (0, 1, 3)) -> list[str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code in code, result.output
    return leaks(arguments[0], result.output.encode())


@pytest.fixture(scope="module")
def audited(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    out = tmp_path_factory.mktemp("audit")
    found = run("audit", str(bundle), "--policy", "core", "--policy", "eu-edpb",
                "--out", str(out / "en"))  # fmt: skip
    found += run("audit", str(bundle), "--language", "zh-Hans", "--out", str(out / "zh"))
    return out, found


def test_the_search_finds_what_is_there(bundle: Path) -> None:
    """The evidence holds all canaries; a search that finds none would prove nothing."""
    seen = {line.rsplit(": ", 1)[-1] for line in search(bundle)}
    assert {"MAC", "word", "texture", *BYSTANDERS} <= seen
    hidden = zlib.compress(b"x" * 99 + MAC.hex(":").encode())
    assert leaks("pdf", b"1 0 obj << >> stream\n" + hidden + b"\nendstream")
    encoded = base64.b64encode(bytes(60) + BYSTANDERS[0].encode() + bytes(60))
    assert leaks("page", b"<img src='data:x;base64," + encoded + b"'>")


def test_the_audit_saw_the_evidence(audited: tuple[Path, list[str]]) -> None:
    """Nothing is hidden by not having been read: the undeclared receiver is found and named."""
    text = (audited[0] / "en" / "findings.json").read_text("utf-8")
    assert CLOUD in text
    assert "cut.mkv" in text
    assert "cut.pcap" in text


def test_no_result_of_an_audit_holds_a_canary(audited: tuple[Path, list[str]]) -> None:
    folder, printed = audited
    assert printed == []
    assert search(folder) == []
    assert {path.suffix for path in (folder / "en").iterdir() if path.is_file()} >= {
        ".json", ".csv", ".html", ".pdf", ".xml",
    }  # fmt: skip


def test_no_other_command_prints_one(bundle: Path, tmp_path: Path) -> None:
    found = run("validate", str(bundle), code=(0, 1, 2, 3))
    video = bundle / "video"
    for name in ("cam-1/clip.mkv", "cam-2/cut.mkv"):
        found += run("faces", str(video / name), "--json", str(tmp_path / "faces.json"),
                     code=(0, 1, 2, 3))  # fmt: skip
    found += run("recordings", "frigate", str(bundle / "recordings" / "s"), code=(0, 1, 2, 3))
    assert found + search(tmp_path) == []


def test_no_publication_holds_one(audited: tuple[Path, list[str]], tmp_path: Path) -> None:
    printed = run("publish", str(audited[0] / "en"), "--out", str(tmp_path / "open"), code=(0,))
    assert printed + search(tmp_path) == []
    text = b"".join(path.read_bytes() for path in (tmp_path / "open").iterdir())
    for secret in ("cam-1", CLOUD, CAMERA, RECORDER):
        assert secret.encode() not in text, "what leaves the house has pseudonyms only"


def test_nothing_of_the_service_holds_one(
    bundle: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        archive.add(bundle, "bundle")
    service = create_app(Settings(data=tmp_path, limits=Limits(free_bytes=1)))
    answers: dict[str, bytes] = {}
    with TestClient(service, base_url="http://127.0.0.1") as client:
        key = make_first_key(service.state.service.database)
        client.headers["Authorization"] = f"Bearer {key}"
        bundle_id = upload(client, buffer.getvalue())
        audit_id = client.post("/api/v1/audits", json={"bundle_id": bundle_id}).json()["id"]
        audit = wait_for(client, audit_id, seconds=180)
        assert audit["progress"]["state"] == "succeeded", audit["failure"]
        base = f"/api/v1/audits/{audit_id}"
        names = [report["name"] for report in client.get(f"{base}/reports").json()]
        for path in (base, f"{base}/findings?limit=500", f"{base}/score", f"{base}/reports",
                     f"/api/v1/bundles/{bundle_id}", "/metrics", "/api/v1/audits",
                     *(f"{base}/reports/{name}" for name in names)):  # fmt: skip
            answer = client.get(path)
            assert answer.status_code in (200, 404), path
            answers[path] = answer.content
    found = [leak for path, content in answers.items() for leak in leaks(path, content)]
    written, printed = capfd.readouterr()
    found += leaks("log", caplog.text.encode()) + leaks("output", (written + printed).encode())
    evidence = service.state.service.settings.evidence.relative_to(tmp_path).as_posix()
    found += search(tmp_path, beside=f"/{evidence}/")
    assert found == []
