"""Decoding: every time and every damage is told, whatever the codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lenswatch.errors import EvidenceError
from lenswatch.evidence.video.reader import Frame, VideoReader
from tests.lenswatch.evidence.video.clips import HEIGHT, WIDTH, scene, write_clip

PICTURES = [scene(i) for i in range(12)]


def read(path: Path) -> tuple[list[tuple[float, np.ndarray]], VideoReader]:
    with VideoReader(path, name=path.name) as reader:
        frames = [(frame.time, frame.luma.copy()) for frame in reader]
    return frames, reader


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [
        ("libx264", "yuv420p", "mp4"),
        ("libx265", "yuv420p10le", "mp4"),
        ("libx264", "yuv444p", "mkv"),
        ("mjpeg", "yuvj420p", "avi"),
        ("mpeg4", "yuv420p", "avi"),
        ("gif", "rgb8", "gif"),
    ],
)
def test_codecs(tmp_path: Path, codec: str, pixels: str, suffix: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = write_clip(
        tmp_path / f"a.{suffix}", PICTURES, codec=codec, pixels=pixels, options=options
    )
    frames, reader = read(path)
    assert len(frames) == reader.frames == len(PICTURES)
    assert [time for time, _ in frames] == pytest.approx([i / 10 for i in range(12)], abs=0.011)
    assert reader.seconds == pytest.approx(1.2, abs=0.02)
    assert not reader.damage.any
    for (_, luma), picture in zip(frames, PICTURES, strict=True):
        assert luma.shape == (HEIGHT, WIDTH)
        # video range: 16 to 235
        assert np.corrcoef(luma.ravel(), picture[:, :, 0].ravel())[0, 1] > 0.95


def test_variable_rate_keeps_the_streams_own_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.52, 2.0, 2.04, 2.08, 5.0, 5.5, 6.0, 6.01, 9.0]
    frames, reader = read(write_clip(tmp_path / "a.mkv", PICTURES, times=times))
    assert [time for time, _ in frames] == pytest.approx(times, abs=0.002)
    assert reader.damage.skipped_times == 0


def test_rotation_is_undone(tmp_path: Path) -> None:
    frames, _ = read(write_clip(tmp_path / "a.mp4", PICTURES, rotation=90))
    assert frames[0][1].shape == (WIDTH, HEIGHT)
    with VideoReader(tmp_path / "a.mp4", name="a") as reader:
        frame = next(iter(reader))
        assert frame.rgb().shape == (WIDTH, HEIGHT, 3)
        assert np.abs(frame.rgb()[:, :, 1].astype(int) - frame.luma).mean() < 25


def test_woven_fields_are_separated(tmp_path: Path) -> None:
    woven = []
    for i in range(6):
        first, second = scene(2 * i, shift=9), scene(2 * i + 1, shift=9)
        first[1::2] = second[1::2]
        woven.append(first)
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1:log-level=-1", "crf": "12"}
    path = write_clip(tmp_path / "a.mp4", woven, options=options)
    frames, _ = read(path)
    for _, luma in frames[1:]:
        assert np.array_equal(luma[0::2], luma[1::2])


def test_cut_off_files_are_told(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", PICTURES, options={"x264-params": "log-level=-1"})
    whole = path.read_bytes()
    (tmp_path / "no-index.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EvidenceError, match=r"no-index\.mp4: cannot be opened") as caught:
        VideoReader(tmp_path / "no-index.mp4", name="no-index.mp4")
    assert "moov" in caught.value.remedy
    fast = write_clip(tmp_path / "b.ts", PICTURES, options={"g": "4"}).read_bytes()
    (tmp_path / "cut.ts").write_bytes(fast[: len(fast) * 2 // 3])
    frames, _ = read(tmp_path / "cut.ts")
    assert 0 < len(frames) < len(PICTURES)


def test_damage_is_counted(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    noisy = [picture + random.integers(0, 30, picture.shape, np.uint8) for picture in PICTURES]
    path = write_clip(tmp_path / "a.ts", noisy, options={"g": "12"})
    content = bytearray(path.read_bytes())
    for place in range(4000, len(content) - 2000, 1500):
        content[place] ^= 0xFF
    path.write_bytes(content)
    _, reader = read(path)
    assert reader.damage.any
    assert reader.damage.frames + reader.damage.packets > 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 4000,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<?xml version='1.0'?><MPD><Period/></MPD>",
    ],
)
def test_playlists_and_rubbish_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(EvidenceError) as caught:
        VideoReader(path, name="video/a/clip.mp4")
    assert "passwd" not in str(caught.value)


def test_a_playlist_cannot_reach_another_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "secret.ts", PICTURES)
    (tmp_path / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1.2,\nsecret.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(EvidenceError):
        VideoReader(tmp_path / "list.m3u8", name="list.m3u8")


def test_pictures_are_files_with_one_frame(tmp_path: Path) -> None:
    import cv2

    for suffix in ("jpg", "png", "bmp", "webp"):
        cv2.imwrite(str(tmp_path / f"100%d.{suffix}"), PICTURES[0])
        frames, reader = read(tmp_path / f"100%d.{suffix}")
        assert len(frames) == 1
        assert frames[0][1].shape == (HEIGHT, WIDTH)
        assert not reader.damage.any


def test_reading_ends_after_the_seconds_asked_for(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", PICTURES)
    with VideoReader(path, name="a", seconds=0.45) as reader:
        frames: list[Frame] = list(reader)
    assert len(frames) == 5
