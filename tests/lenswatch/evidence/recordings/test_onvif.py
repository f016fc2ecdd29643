# ruff: noqa: E501  (rows of data stay rows)
"""ONVIF Profile G from saved answers, and from a small device on loopback under a scope file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.lenswatch.evidence.recordings.stores import put, read_all

ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{}</s:Body></s:Envelope>'
)
SUMMARY = """<tse:GetRecordingSummaryResponse xmlns:tse="urn:x"><tse:Summary><DataFrom>2026-01-01T00:00:00Z</DataFrom>
<DataUntil>2026-01-31T00:00:00Z</DataUntil><NumberRecordings>2</NumberRecordings></tse:Summary></tse:GetRecordingSummaryResponse>"""
RESULTS = """<tse:GetRecordingSearchResultsResponse xmlns:tse="urn:x" xmlns:tt="urn:y"><tse:ResultList><tt:SearchState>Completed</tt:SearchState>
<tt:RecordingInformation><tt:RecordingToken>R1</tt:RecordingToken><tt:Source><tt:Name>Gate</tt:Name></tt:Source>
<tt:EarliestRecording>2026-01-05T00:00:00Z</tt:EarliestRecording><tt:LatestRecording>2026-01-31T00:00:00Z</tt:LatestRecording>
<tt:Track><tt:DataFrom>2026-01-04T00:00:00Z</tt:DataFrom></tt:Track></tt:RecordingInformation></tse:ResultList></tse:GetRecordingSearchResultsResponse>"""
RECORDINGS = """<trc:GetRecordingsResponse xmlns:trc="urn:x" xmlns:tt="urn:y">
<trc:RecordingItem><tt:RecordingToken>R1</tt:RecordingToken><tt:Configuration><tt:Source><tt:Name>Gate</tt:Name></tt:Source><tt:MaximumRetentionTime>P3DT12H</tt:MaximumRetentionTime></tt:Configuration></trc:RecordingItem>
<trc:RecordingItem><tt:RecordingToken>R2</tt:RecordingToken><tt:Configuration><tt:Source><tt:Name>Yard</tt:Name></tt:Source><tt:MaximumRetentionTime>PT0S</tt:MaximumRetentionTime>
<tt:Target><tt:Name>nas</tt:Name></tt:Target></tt:Configuration></trc:RecordingItem></trc:GetRecordingsResponse>"""
MASKS = """<tr2:GetMasksResponse xmlns:tr2="urn:x"><tr2:Masks token="m"><tr2:ConfigurationToken>V1</tr2:ConfigurationToken><tr2:Type>Pixelated</tr2:Type><tr2:Enabled>true</tr2:Enabled></tr2:Masks>
<tr2:Masks token="n"><tr2:ConfigurationToken>V2</tr2:ConfigurationToken><tr2:Type>Blurred</tr2:Type><tr2:Enabled>false</tr2:Enabled></tr2:Masks></tr2:GetMasksResponse>"""


def check(table: object) -> None:
    rows = table.rows  # type: ignore[attr-defined]
    reading = table.reading  # type: ignore[attr-defined]
    assert [(row["camera"], row["begin"]) for row in rows] == [
        ("Gate", datetime(2026, 1, 4, tzinfo=UTC))
    ]
    assert {s.camera: s.hours for s in reading.settings} == {"Gate": 84, "Yard": float("inf")}
    assert [(s.action, s.camera) for s in reading.sinks] == [("external target", "Yard")]
    assert [(m.camera, m.private) for m in reading.masks] == [("V1", True)]


def test_saved_answers(tmp_path: Path) -> None:
    store = tmp_path / "recordings" / "s"
    for name, body in (("a", RECORDINGS), ("b", SUMMARY), ("c", RESULTS), ("d", MASKS)):
        put(store / f"{name}.xml", ENVELOPE.format(body).encode())
    check(read_all(tmp_path, "onvif"))


def test_a_summary_alone_belongs_to_the_only_camera(tmp_path: Path) -> None:
    put(tmp_path / "recordings" / "s" / "a.xml", SUMMARY.encode())
    table = read_all(tmp_path, "onvif", cameras={"R1": "c"})
    assert [(row["camera"], row["begin"].day) for row in table.rows] == [("R1", 1)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<a/>", "no answer tells"),
        (b"not xml", "not an XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "not an XML"),
        (ENVELOPE.format("<s:Fault/>").encode(), "fault"),
    ],
)
def test_answers_that_are_none(tmp_path: Path, content: bytes, words: str) -> None:
    put(tmp_path / "recordings" / "s" / "a.xml", content)
    table = read_all(tmp_path, "onvif")
    assert any(words in message for message in table.messages)
    assert not table.reading.complete


@contextmanager
def device(asked: list[str], status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append(text)
            host = f"http://{self.headers['Host']}/x"
            services = "".join(
                f"<d:Service><d:Namespace>http://www.onvif.org/{path}</d:Namespace><d:XAddr>{where}</d:XAddr></d:Service>"
                for path, where in (
                    ("ver10/recording/wsdl", host),
                    ("ver10/search/wsdl", host),
                    ("ver20/media/wsdl", host),
                    ("ver10/events/wsdl", "http://192.0.2.1/"),
                )
            )
            answers = {
                "GetServices": f'<d:R xmlns:d="urn:d">{services}</d:R>',
                "GetRecordings ": RECORDINGS,
                "GetRecordingSummary": SUMMARY,
                "FindRecordings": '<a xmlns="urn:x"><SearchToken>T</SearchToken></a>',
                "GetRecordingSearchResults": RESULTS,
                "GetMasks": MASKS,
            }
            body = next(answer for name, answer in answers.items() if f"<{name}" in text)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(ENVELOPE.format(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/onvif/device_service"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_live_device_under_a_scope_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENSWATCH_ONVIF_PASSWORD", "SECRET")
    asked: list[str] = []
    with device(asked) as url:
        put(
            tmp_path / "recordings" / "s" / "scope.yaml",
            f"devices:\n  - {{url: {url}, user: audit}}\n".encode(),
        )
        table = read_all(tmp_path, "onvif", scope="scope.yaml")
    check(table)
    assert len(asked) == 6
    assert all("PasswordDigest" in text and "SECRET" not in text for text in asked)
    assert not any("Replay" in text or "Set" in text.replace("SearchResults", "") for text in asked)


def test_a_device_that_refuses_is_asked_once(tmp_path: Path) -> None:
    asked: list[str] = []
    with device(asked, 401) as url:
        put(
            tmp_path / "recordings" / "s" / "scope.yaml",
            f"devices:\n  - {{url: {url}, user: audit}}\n".encode(),
        )
        table = read_all(tmp_path, "onvif", scope="scope.yaml")
    assert len(asked) == 1
    assert any("HTTP 401" in message for message in table.messages)


def test_without_a_scope_nobody_is_asked(tmp_path: Path) -> None:
    put(tmp_path / "recordings" / "s" / "scope.yaml", b"devices: []\n")
    assert "names no device" in read_all(tmp_path, "onvif", scope="scope.yaml").messages[0]
    assert "cannot be opened" in read_all(tmp_path, "onvif", scope="other.yaml").messages[0]
