"""Two ONVIF clients that know nothing of the simulator walk Profiles S, T and G."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np
import pytest
from onveef import OnvifClient
from onveef.exceptions import OnvifError
from onveef.transport import OnvifCredentials, fetch_snapshot_bytes
from onvif import ONVIFClient
from onvif.utils.exceptions import ONVIFOperationException

from lenswatch_sim.cameras import Encoder, encode
from lenswatch_sim.live import http as nodes_http
from lenswatch_sim.live import onvif
from lenswatch_sim.live.nodes import Channel, Hardware, LiveNode, Recording
from tests.sim.loops import Loop

MASK = ((-1.0, 1.0), (-0.5, 1.0), (-0.5, 0.25), (-1.0, 0.25))
SPAN = Recording("2026-11-22T12:00:00Z", "2026-11-24T12:00:00Z", 72.0)
CAMERA, RECORDER = "127.64.1.9", "127.1.255.10"


def channel(number: int, codec: str, **more: object) -> Channel:
    return Channel(
        f"cam-{number:04d}",
        f"street {number}",
        "x.mp4",
        640,
        360,
        5.0,
        codec,
        20,
        2000,
        f"{number:020d}",
        **more,  # type: ignore[arg-type]
    )


def node(kind: str, address: str, *channels: Channel) -> LiveNode:
    return LiveNode(
        f"{kind}-1", kind, "Norvik", "NV-210", address, "S1", "1" * 20, "", False, channels
    )


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    bundle = tmp_path_factory.mktemp("bundle")
    grey = [np.full((360, 640, 3), 40, np.uint8)] * 3
    (bundle / "x.mp4").write_bytes(encode(grey, Fraction(5), Encoder()))
    hardware = Hardware(
        "auditor",
        "correct",
        "2" * 20,
        (
            node("camera", "10.64.1.9", channel(0, "h264", masks=(MASK,))),
            node(
                "recorder",
                "10.1.255.10",
                channel(0, "h264", recording=SPAN),
                channel(1, "h265", recording=SPAN),
            ),
        ),
    )
    loop = Loop()
    server = nodes_http.Server(onvif.Service(hardware, 8554, bundle))
    used: int = loop.run(server.start([CAMERA, RECORDER], 0))
    yield used
    loop.run(server.stop())
    loop.close()


def test_onveef_walks_profiles_s_and_t(port: int) -> None:
    with OnvifClient(host=CAMERA, port=port, username="auditor", password="correct") as camera:
        assert camera.get_device_information()["Manufacturer"] == "Norvik"
        [profile] = camera.get_profiles()
        uri = camera.get_stream_uri(profile_token=profile["token"])
        assert uri == f"rtsp://{CAMERA}:8554/cam-0000"
        [newer] = camera.media2_get_profiles()
        assert newer["token"] == profile["token"]
        [mask] = camera.media2_get_masks()
        assert mask["enabled"] is True
        assert mask["configuration_token"] == "source0"
        assert [(float(p["x"]), float(p["y"])) for p in mask["polygon"]] == list(MASK)


def test_onveef_walks_profile_g(port: int) -> None:
    with OnvifClient(host=RECORDER, port=port, username="auditor", password="correct") as recorder:
        assert len(recorder.get_recordings()) == 2
        summary = recorder.get_recording_summary()
        assert "2026-11-22" in str(summary)
        token = recorder.find_recordings()
        found = recorder.get_recording_search_results(search_token=token)
        assert "recording1" in str(found)
        recorder.end_search(search_token=token)
        uri = recorder.get_replay_uri(recording_token="recording1")
        assert uri == f"rtsp://{RECORDER}:8554/cam-0001/replay"


def test_onveef_fetches_a_snapshot_by_either_media_service(port: int) -> None:
    with OnvifClient(host=CAMERA, port=port, username="auditor", password="correct") as camera:
        [profile] = camera.get_profiles()
        uri = camera.get_snapshot_uri(profile_token=profile["token"])
        assert uri == f"http://{CAMERA}:{port}/onvif/snapshot/cam-0000.jpg"
        picture, kind = camera.get_snapshot(profile_token=profile["token"])
    assert kind == "image/jpeg"
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (360, 640, 3)
    assert abs(float(shown.mean()) - 40) < 3


@pytest.mark.parametrize(("user", "password"), [("auditor", "guess"), ("nobody", "correct")])
def test_a_snapshot_takes_the_password(port: int, user: str, password: str) -> None:
    uri = f"http://{CAMERA}:{port}/onvif/snapshot/cam-0000.jpg"
    with pytest.raises(OnvifError, match=r"(?i)auth"):
        fetch_snapshot_bytes(snapshot_uri=uri, credentials=OnvifCredentials(user, password))


def test_onveef_subscribes_to_events(port: int) -> None:
    """Its own PullMessages fails before it sends anything (0.6.0: a timeout inside a timeout)."""
    with OnvifClient(host=CAMERA, port=port, username="auditor", password="correct") as camera:
        assert camera.events_get_event_properties()["topics"] == [
            "tns1:Monitoring/OperatingTime/LastReboot",
            "tns1:VideoSource/SignalLoss",
        ]
        address = camera.events_create_pull_point()["subscription_url"]
        camera.events_set_synchronization_point(subscription_url=address)
        camera.events_renew(subscription_url=address)
        camera.events_unsubscribe(subscription_url=address)
        with pytest.raises(OnvifError, match="subscription"):
            camera.events_renew(subscription_url=address)


def test_onvif_python_pulls_events_and_reads_encoders(port: int) -> None:
    client = ONVIFClient(RECORDER, port, "auditor", "correct")
    assert client.events().GetServiceCapabilities().MaxPullPoints == 1000
    assert client.events().GetEventProperties().FixedTopicSet
    reference = client.events().CreatePullPointSubscription(InitialTerminationTime="PT60S")
    point = client.pullpoint(reference)
    told = point.PullMessages(Timeout="PT1S", MessageLimit=10)
    assert len(told.NotificationMessage) == 3  # booted, and a signal of each of two channels
    point.SetSynchronizationPoint()
    assert len(point.PullMessages(Timeout="PT1S", MessageLimit=2).NotificationMessage) == 2
    point.Unsubscribe()
    [encoder] = client.media().GetVideoEncoderConfigurations()
    assert encoder.Encoding == "H264"
    assert [e.Encoding for e in client.media2().GetVideoEncoderConfigurations()] == ["H264", "H265"]
    assert client.media().GetProfile(ProfileToken="profile1").token == "profile1"
    assert "snapshot/cam-0001" in client.media2().GetSnapshotUri(ProfileToken="profile1")


def test_onveef_is_refused_with_a_wrong_password(port: int) -> None:
    with (
        OnvifClient(host=CAMERA, port=port, username="auditor", password="guess") as camera,
        pytest.raises(OnvifError, match=r"(?i)auth"),
    ):
        camera.get_device_information()


def test_onvif_python_walks_profiles_s_and_t(port: int) -> None:
    client = ONVIFClient(CAMERA, port, "auditor", "correct")
    assert client.devicemgmt().GetDeviceInformation().Model == "NV-210"
    scopes = [scope.ScopeItem for scope in client.devicemgmt().GetScopes()]
    assert "onvif://www.onvif.org/Profile/T" in scopes
    [profile] = client.media().GetProfiles()
    assert profile.VideoEncoderConfiguration.Encoding == "H264"
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    uri = client.media().GetStreamUri(StreamSetup=setup, ProfileToken=profile.token).Uri
    assert uri == f"rtsp://{CAMERA}:8554/cam-0000"
    [newer] = client.media2().GetProfiles()
    assert newer.token == "profile0"
    uri = client.media2().GetStreamUri(Protocol="RTSP", ProfileToken=newer.token)
    assert uri.endswith("cam-0000")
    [mask] = client.media2().GetMasks()
    assert [(point.x, point.y) for point in mask.Polygon.Point] == list(MASK)
    assert client.media2().GetMaskOptions(ConfigurationToken="source0").MaxMasks == 8


def test_onvif_python_walks_profile_g(port: int) -> None:
    client = ONVIFClient(RECORDER, port, "auditor", "correct")
    items = client.recording().GetRecordings()
    assert [item.RecordingToken for item in items] == ["recording0", "recording1"]
    assert items[0].Configuration.MaximumRetentionTime.total_seconds() == 72 * 3600
    search = client.search()
    assert search.GetRecordingSummary().NumberRecordings == 2
    token = search.FindRecordings(Scope={}, KeepAliveTime="PT60S")
    result = search.GetRecordingSearchResults(SearchToken=token)
    assert result.SearchState == "Completed"
    assert result.RecordingInformation[1].EarliestRecording.day == 22
    search.EndSearch(SearchToken=token)
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    uri = client.replay().GetReplayUri(StreamSetup=setup, RecordingToken="recording0")
    assert uri.endswith("cam-0000/replay")


def test_onvif_python_is_refused_with_a_wrong_password(port: int) -> None:
    client = ONVIFClient(CAMERA, port, "auditor", "guess")
    assert client.devicemgmt().GetSystemDateAndTime().UTCDateTime
    with pytest.raises(ONVIFOperationException, match=r"(?i)not authori[sz]ed"):
        client.devicemgmt().GetDeviceInformation()


def post(port: int, body: bytes, host: str = CAMERA) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    connection.request("POST", "/onvif/device_service", body)
    answer = connection.getresponse()
    told = answer.status, answer.read()
    connection.close()
    return told


def test_a_token_counts_once_and_nonsense_is_named(port: int) -> None:
    import base64
    import hashlib
    from datetime import UTC, datetime

    created = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    digest = base64.b64encode(hashlib.sha1(b"nonce" + created.encode() + b"correct").digest())
    body = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header><w:UsernameToken '
        'xmlns:w="w"><w:Username>auditor</w:Username>'
        f"<w:Password>{digest.decode()}</w:Password><w:Nonce>{base64.b64encode(b'nonce').decode()}"
        f"</w:Nonce><w:Created>{created}</w:Created></w:UsernameToken></s:Header><s:Body>"
        '<d:GetScopes xmlns:d="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>'
    ).encode()
    assert post(port, body)[0] == 200
    status, told = post(port, body)
    assert status == 400
    assert b"ter:NotAuthorized" in told
    assert b"ter:WellFormed" in post(port, b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")[1]
    assert b"ter:WellFormed" in post(port, b"no xml")[1]
    unknown = (
        body.replace(b"GetScopes", b"Reboot").replace(b"<w:", b"<v:").replace(b"</w:", b"</v:")
    )
    assert post(port, unknown)[0] == 400
