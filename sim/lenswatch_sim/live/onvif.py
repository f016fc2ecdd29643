"""ONVIF services of the live nodes: Profiles S, T (with masks, events, snapshots) and G over SOAP.

ONVIF core, media, media2, recording control, recording search and replay specifications. A node
answers at ``http://<its address>:<port>/onvif/<service>``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from lenswatch_sim.live import http, snapshots
from lenswatch_sim.live.nodes import Channel, Hardware, LiveNode, loopback
from lenswatch_sim.live.onvif_events import CAPABILITIES, PROPERTIES, Subscriptions
from lenswatch_sim.live.snapshots import Snapshots
from lenswatch_sim.protocols import soap
from lenswatch_sim.protocols.soap import Call, SoapError

SERVICES = {
    "tds": "device_service",
    "trt": "media_service",
    "tr2": "media2_service",
    "tev": "event_service",
}
RECORDING_SERVICES = {
    "trc": "recording_service",
    "tse": "search_service",
    "trp": "replay_service",
}
_VERSIONS = {"tds": (22, 6), "trt": (19, 6), "tr2": (22, 6), "trc": (2, 6), "tse": (2, 5)}
_MOST_NONCES = 10_000
_CONTENT = "application/soap+xml; charset=utf-8"

# Asked before a client can make a token: its clock has to be set first (core, section 5.9.4).
_OPEN = {"GetSystemDateAndTime", "GetServices", "GetCapabilities", "GetServiceCapabilities"}


class Service:
    """Answers for every node, which it tells by the address that was called."""

    def __init__(self, hardware: Hardware, rtsp_port: int = 8554, bundle: Path = Path()) -> None:
        self._nodes = {loopback(node.address): node for node in hardware.nodes}
        self._hardware = hardware
        self._rtsp_port = rtsp_port
        self._snapshots = Snapshots(hardware, bundle)
        self._events = Subscriptions()
        self._seen: set[bytes] = set()
        self.calls = self.refused = 0

    async def __call__(self, request: http.Request) -> http.Response:
        """Handle one HTTP request."""
        node = self._nodes.get(request.here[0])
        if node is None or not request.target.startswith("/onvif/"):
            return http.Response(404)
        if request.target.startswith(snapshots.PATH) and request.method == "GET":
            return await self._snapshots(node, request)
        if request.method != "POST":
            return http.Response(405, headers={"Allow": "POST"})
        self.calls += 1
        try:
            call = soap.parse(request.body)
            self._admit(call)
            if call.prefix in ("tev", "wsnt"):
                body = await self._event(node, call, request)
            else:
                body = _answer(call, Device(node, *request.here, self._rtsp_port))
        except SoapError as error:
            self.refused += 1
            return http.Response(400, soap.fault(error), _CONTENT)
        return http.Response(200, soap.envelope(body), _CONTENT)

    async def _event(self, node: LiveNode, call: Call, request: http.Request) -> str:
        """Answers of the event service; a pull point is told by the address that was called."""
        name, events = call.operation, self._events
        base = f"http://{request.here[0]}:{request.here[1]}/onvif/{SERVICES['tev']}"
        if name == "PullMessages":
            told = await events.pull(node, call, request.target)
        elif name == "CreatePullPointSubscription":
            told = events.create(node, call, base)
        elif name == "Renew":
            told = events.renew(node, call, request.target)
        elif name == "Unsubscribe":
            told = events.end(node, request.target)
        elif name == "SetSynchronizationPoint":
            told = events.synchronize(node, request.target)
        elif name == "GetEventProperties":
            told = PROPERTIES
        elif name == "GetServiceCapabilities":
            told = CAPABILITIES
        else:
            raise SoapError("ter:ActionNotSupported", "This operation is not offered", sender=False)
        return f"<{call.prefix}:{name}Response>{told}</{call.prefix}:{name}Response>"

    def _admit(self, call: Call) -> None:
        if call.operation in _OPEN:
            return
        if len(self._seen) > _MOST_NONCES:
            self._seen.clear()
        now = datetime.now(UTC)
        account = self._hardware
        if call.token is None or not soap.is_genuine(
            call.token, account.user, account.password, now, self._seen
        ):
            raise SoapError("ter:NotAuthorized", "Sender not authorized")


class Device:
    """One node's answers, as the inside of a response element."""

    def __init__(self, node: LiveNode, host: str, port: int, rtsp_port: int) -> None:
        self.node = node
        self._base = f"http://{host}:{port}/onvif/"
        self._streams = f"rtsp://{host}:{rtsp_port}/"

    @property
    def services(self) -> dict[str, str]:
        """Prefix and path of each service; footage only where there is some."""
        held = any(channel.recording for channel in self.node.channels)
        return SERVICES | (RECORDING_SERVICES if held else {})

    def channel(self, token: str) -> Channel:
        """The channel of a profile, configuration or recording token."""
        for number, channel in enumerate(self.node.channels):
            if token in (f"profile{number}", f"source{number}", f"recording{number}"):
                return channel
        raise SoapError("ter:InvalidArgVal", "No such token")

    def numbered(self) -> Iterable[tuple[int, Channel]]:
        """Channels with their numbers."""
        return enumerate(self.node.channels)

    # device management

    def date_and_time(self, call: Call) -> str:
        """GetSystemDateAndTime."""
        now = datetime.now(UTC)
        moment = (
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
            f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
            f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
        )
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>UTC0</tt:TZ>"
            f"</tt:TimeZone><tt:UTCDateTime>{moment}</tt:UTCDateTime></tds:SystemDateAndTime>"
        )

    def list_services(self, call: Call) -> str:
        """GetServices."""
        parts = []
        for prefix, path in self.services.items():
            major, minor = _VERSIONS.get(prefix, (2, 0))
            parts.append(
                f"<tds:Service><tds:Namespace>{soap.NAMESPACES[prefix]}</tds:Namespace>"
                f"<tds:XAddr>{self._base}{path}</tds:XAddr><tds:Version><tt:Major>{major}"
                f"</tt:Major><tt:Minor>{minor}</tt:Minor></tds:Version></tds:Service>"
            )
        return "".join(parts)

    def capabilities(self, call: Call) -> str:
        """GetCapabilities, the older way to ask for services."""
        extension = ""
        if "trc" in self.services:
            extension = "<tt:Extension>" + "".join(
                f"<tt:{name}><tt:XAddr>{self._base}{path}</tt:XAddr>{more}</tt:{name}>"
                for name, path, more in (
                    (
                        "Recording",
                        "recording_service",
                        "<tt:ReceiverSource>false</tt:ReceiverSource><tt:MediaProfileSource>true"
                        "</tt:MediaProfileSource><tt:DynamicRecordings>false</tt:DynamicRecordings>"
                        "<tt:DynamicTracks>false</tt:DynamicTracks>"
                        "<tt:MaxStringLength>64</tt:MaxStringLength>",
                    ),
                    ("Search", "search_service", "<tt:MetadataSearch>false</tt:MetadataSearch>"),
                    ("Replay", "replay_service", ""),
                )
            )
            extension += "</tt:Extension>"
        return (
            f"<tds:Capabilities><tt:Device><tt:XAddr>{self._base}device_service</tt:XAddr>"
            f"</tt:Device><tt:Events><tt:XAddr>{self._base}event_service</tt:XAddr>"
            "<tt:WSSubscriptionPolicySupport>false</tt:WSSubscriptionPolicySupport>"
            "<tt:WSPullPointSupport>true</tt:WSPullPointSupport>"
            "<tt:WSPausableSubscriptionManagerInterfaceSupport>false"
            "</tt:WSPausableSubscriptionManagerInterfaceSupport></tt:Events><tt:Media><tt:XAddr>{self._base}media_service</tt:XAddr>"
            "<tt:StreamingCapabilities><tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true"
            "</tt:RTP_TCP><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities>"
            f"</tt:Media>{extension}</tds:Capabilities>"
        )

    def information(self, call: Call) -> str:
        """GetDeviceInformation."""
        node = self.node
        return (
            f"<tds:Manufacturer>{escape(node.vendor)}</tds:Manufacturer>"
            f"<tds:Model>{escape(node.model)}</tds:Model>"
            "<tds:FirmwareVersion>4.2.1</tds:FirmwareVersion>"
            f"<tds:SerialNumber>{node.serial}</tds:SerialNumber>"
            "<tds:HardwareId>1</tds:HardwareId>"
        )

    def scopes(self, call: Call) -> str:
        """GetScopes."""
        profiles = ["Streaming", "T"] + (["G"] if "trc" in self.services else [])
        names = [
            *(f"Profile/{name}" for name in profiles),
            f"name/{quote(self.node.node_id)}",
            f"hardware/{quote(self.node.model)}",
        ]
        return "".join(
            "<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef>"
            f"<tt:ScopeItem>onvif://www.onvif.org/{name}</tt:ScopeItem></tds:Scopes>"
            for name in names
        )

    def hostname(self, call: Call) -> str:
        """GetHostname."""
        name = escape(self.node.node_id)
        return (
            f"<tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP><tt:Name>{name}</tt:Name>"
            "</tds:HostnameInformation>"
        )

    # media

    def profiles(self, call: Call) -> str:
        """GetProfiles of the first media service, which knows no H.265."""
        return "".join(self._profile(number, c) for number, c in self.numbered())

    def profile(self, call: Call) -> str:
        """GetProfile."""
        wanted = self.channel(call.argument("ProfileToken"))
        number = self.node.channels.index(wanted)
        return self._profile(number, wanted, "trt:Profile")

    def _profile(self, number: int, channel: Channel, tag: str = "trt:Profiles") -> str:
        encoder = ""
        if channel.codec != "h265":
            encoder = _encoder(number, channel, "tt:VideoEncoderConfiguration")
        return (
            f'<{tag} token="profile{number}" fixed="true"><tt:Name>{escape(channel.name)}'
            f'</tt:Name><tt:VideoSourceConfiguration token="source{number}">'
            f"{_source(number, channel)}</tt:VideoSourceConfiguration>{encoder}</{tag}>"
        )

    def encoders(self, call: Call) -> str:
        """GetVideoEncoderConfigurations of the first media service."""
        return "".join(
            _encoder(number, channel, "trt:Configurations")
            for number, channel in self.numbered()
            if channel.codec != "h265"
        )

    def snapshot_uri(self, call: Call) -> str:
        """GetSnapshotUri of either media service."""
        channel = self.channel(call.argument("ProfileToken"))
        uri = f"{self._base}snapshot/{channel.node_id}.jpg"
        if call.prefix == "tr2":
            return f"<tr2:Uri>{uri}</tr2:Uri>"
        return f"<trt:MediaUri>{_media_uri(uri)}</trt:MediaUri>"

    def stream_uri(self, call: Call) -> str:
        """GetStreamUri of either media service."""
        uri = self._streams + self.channel(call.argument("ProfileToken")).node_id
        if call.prefix == "tr2":
            return f"<tr2:Uri>{uri}</tr2:Uri>"
        return f"<trt:MediaUri>{_media_uri(uri)}</trt:MediaUri>"

    def video_sources(self, call: Call) -> str:
        """GetVideoSources."""
        return "".join(
            f'<trt:VideoSources token="input{number}"><tt:Framerate>{channel.fps:g}</tt:Framerate>'
            f"{_resolution(channel)}</trt:VideoSources>"
            for number, channel in self.numbered()
        )

    def media2_profiles(self, call: Call) -> str:
        """GetProfiles of the second media service."""
        parts = []
        for number, channel in self.numbered():
            parts.append(
                f'<tr2:Profiles token="profile{number}" fixed="true"><tr2:Name>'
                f"{escape(channel.name)}</tr2:Name><tr2:Configurations>"
                f'<tr2:VideoSource token="source{number}">{_source(number, channel)}'
                f"</tr2:VideoSource>{_media2_encoder(number, channel, 'tr2:VideoEncoder')}"
                "</tr2:Configurations></tr2:Profiles>"
            )
        return "".join(parts)

    def media2_encoders(self, call: Call) -> str:
        """GetVideoEncoderConfigurations of the second media service."""
        return "".join(
            _media2_encoder(number, channel, "tr2:Configurations")
            for number, channel in self.numbered()
        )

    def source_configurations(self, call: Call) -> str:
        """GetVideoSourceConfigurations."""
        return "".join(
            f'<tr2:Configurations token="source{number}">{_source(number, channel)}'
            "</tr2:Configurations>"
            for number, channel in self.numbered()
        )

    def masks(self, call: Call) -> str:
        """GetMasks: what the node claims, which the scenario may make a lie."""
        wanted = call.argument("ConfigurationToken")
        parts = []
        for number, channel in self.numbered():
            if wanted and wanted != f"source{number}":
                continue
            for k, polygon in enumerate(channel.masks):
                points = "".join(f'<tt:Point x="{x:g}" y="{y:g}"/>' for x, y in polygon)
                parts.append(
                    f'<tr2:Masks token="mask{number}-{k}"><tr2:ConfigurationToken>source{number}'
                    f"</tr2:ConfigurationToken><tr2:Polygon>{points}</tr2:Polygon>"
                    '<tr2:Type>Color</tr2:Type><tr2:Color X="16" Y="128" Z="128"/>'
                    "<tr2:Enabled>true</tr2:Enabled></tr2:Masks>"
                )
        return "".join(parts)

    def mask_options(self, call: Call) -> str:
        """GetMaskOptions."""
        return (
            '<tr2:Options RectangleOnly="false" SingleColorOnly="true"><tr2:MaxMasks>8'
            "</tr2:MaxMasks><tr2:MaxPoints>16</tr2:MaxPoints><tr2:Types>Color</tr2:Types>"
            '<tr2:Color><tt:ColorList X="16" Y="128" Z="128"/></tr2:Color></tr2:Options>'
        )

    # recordings

    def held(self) -> list[tuple[int, Channel]]:
        """Channels with footage."""
        return [(number, channel) for number, channel in self.numbered() if channel.recording]

    def recordings(self, call: Call) -> str:
        """GetRecordings, with the longest time the settings let footage live."""
        parts = []
        for number, channel in self.held():
            assert channel.recording is not None
            parts.append(
                f"<trc:RecordingItem><tt:RecordingToken>recording{number}</tt:RecordingToken>"
                f"<tt:Configuration>{_recorded_source(channel)}<tt:Content>video</tt:Content>"
                f"<tt:MaximumRetentionTime>PT{round(channel.recording.kept_hours)}H"
                "</tt:MaximumRetentionTime></tt:Configuration><tt:Tracks><tt:Track>"
                "<tt:TrackToken>video</tt:TrackToken><tt:Configuration><tt:TrackType>Video"
                "</tt:TrackType><tt:Description>video</tt:Description></tt:Configuration>"
                "</tt:Track></tt:Tracks></trc:RecordingItem>"
            )
        return "".join(parts)

    def recording_summary(self, call: Call) -> str:
        """GetRecordingSummary."""
        held = [c.recording for _, c in self.held() if c.recording is not None]
        return (
            f"<tse:Summary><tt:DataFrom>{min(r.earliest for r in held)}</tt:DataFrom>"
            f"<tt:DataUntil>{max(r.latest for r in held)}</tt:DataUntil>"
            f"<tt:NumberRecordings>{len(held)}</tt:NumberRecordings></tse:Summary>"
        )

    def find_recordings(self, call: Call) -> str:
        """FindRecordings: every search is over at once, so the token tells nothing apart."""
        return "<tse:SearchToken>search</tse:SearchToken>"

    def recording_results(self, call: Call) -> str:
        """GetRecordingSearchResults."""
        found = "".join(
            f"<tt:RecordingInformation>{_information(number, channel)}</tt:RecordingInformation>"
            for number, channel in self.held()
        )
        return f"<tse:ResultList><tt:SearchState>Completed</tt:SearchState>{found}</tse:ResultList>"

    def recording_information(self, call: Call) -> str:
        """GetRecordingInformation."""
        wanted = self.channel(call.argument("RecordingToken"))
        for number, channel in self.held():
            if channel is wanted:
                return (
                    f"<tse:RecordingInformation>{_information(number, channel)}"
                    "</tse:RecordingInformation>"
                )
        raise SoapError("ter:InvalidArgVal", "No such recording")

    def end_search(self, call: Call) -> str:
        """EndSearch."""
        return f"<tse:Endpoint>{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</tse:Endpoint>"

    def replay_uri(self, call: Call) -> str:
        """GetReplayUri."""
        channel = self.channel(call.argument("RecordingToken"))
        return f"<trp:Uri>{self._streams}{channel.node_id}/replay</trp:Uri>"


def _resolution(channel: Channel) -> str:
    return (
        f"<tt:Resolution><tt:Width>{channel.width}</tt:Width><tt:Height>{channel.height}"
        "</tt:Height></tt:Resolution>"
    )


def _encoder(number: int, channel: Channel, tag: str) -> str:
    """How the first media service tells a channel's encoder; it knows no H.265."""
    kind = {"h264": "H264", "mjpeg": "JPEG"}[channel.codec]
    h264 = (
        f"<tt:H264><tt:GovLength>{channel.group}</tt:GovLength>"
        "<tt:H264Profile>High</tt:H264Profile></tt:H264>"
    )
    return (
        f'<{tag} token="encoder{number}"><tt:Name>encoder{number}'
        f"</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>{kind}</tt:Encoding>"
        f"{_resolution(channel)}<tt:Quality>5</tt:Quality><tt:RateControl>"
        f"<tt:FrameRateLimit>{round(channel.fps)}</tt:FrameRateLimit><tt:EncodingInterval>1"
        f"</tt:EncodingInterval><tt:BitrateLimit>{channel.kbit_per_s}</tt:BitrateLimit>"
        f"</tt:RateControl>{h264 if kind == 'H264' else ''}<tt:Multicast><tt:Address>"
        "<tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>"
        "<tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart>"
        f"</tt:Multicast><tt:SessionTimeout>PT60S</tt:SessionTimeout></{tag}>"
    )


def _media2_encoder(number: int, channel: Channel, tag: str) -> str:
    kind = {"h264": "H264", "h265": "H265", "mjpeg": "JPEG"}[channel.codec]
    name = {"h264": "High", "h265": "Main"}.get(channel.codec)
    more = f' GovLength="{channel.group}" Profile="{name}"' if name else ""
    return (
        f'<{tag} token="encoder{number}"{more}>'
        f"<tt:Name>encoder{number}</tt:Name><tt:UseCount>1</tt:UseCount>"
        f"<tt:Encoding>{kind}</tt:Encoding>{_resolution(channel)}<tt:RateControl>"
        f"<tt:FrameRateLimit>{channel.fps:g}</tt:FrameRateLimit>"
        f"<tt:BitrateLimit>{channel.kbit_per_s}</tt:BitrateLimit></tt:RateControl>"
        f"<tt:Quality>5</tt:Quality></{tag}>"
    )


def _media_uri(uri: str) -> str:
    return (
        f"<tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
        "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
    )


def _source(number: int, channel: Channel) -> str:
    return (
        f"<tt:Name>source{number}</tt:Name><tt:UseCount>2</tt:UseCount><tt:SourceToken>"
        f'input{number}</tt:SourceToken><tt:Bounds x="0" y="0" width="{channel.width}" '
        f'height="{channel.height}"/>'
    )


def _recorded_source(channel: Channel) -> str:
    return (
        f"<tt:Source><tt:SourceId>urn:node:{quote(channel.node_id)}</tt:SourceId><tt:Name>"
        f"{escape(channel.name)}</tt:Name><tt:Location>simulated</tt:Location><tt:Description>"
        f"{escape(channel.node_id)}</tt:Description><tt:Address/></tt:Source>"
    )


def _information(number: int, channel: Channel) -> str:
    assert channel.recording is not None
    span = channel.recording
    return (
        f"<tt:RecordingToken>recording{number}</tt:RecordingToken>{_recorded_source(channel)}"
        f"<tt:EarliestRecording>{span.earliest}</tt:EarliestRecording><tt:LatestRecording>"
        f"{span.latest}</tt:LatestRecording><tt:Content>video</tt:Content><tt:Track>"
        "<tt:TrackToken>video</tt:TrackToken><tt:TrackType>Video</tt:TrackType><tt:Description>"
        f"video</tt:Description><tt:DataFrom>{span.earliest}</tt:DataFrom><tt:DataTo>{span.latest}"
        "</tt:DataTo></tt:Track><tt:RecordingStatus>Recording</tt:RecordingStatus>"
    )


_OPERATIONS: dict[str, dict[str, Callable[[Device, Call], str]]] = {
    "tds": {
        "GetSystemDateAndTime": Device.date_and_time,
        "GetServices": Device.list_services,
        "GetCapabilities": Device.capabilities,
        "GetDeviceInformation": Device.information,
        "GetScopes": Device.scopes,
        "GetHostname": Device.hostname,
    },
    "trt": {
        "GetProfiles": Device.profiles,
        "GetProfile": Device.profile,
        "GetStreamUri": Device.stream_uri,
        "GetSnapshotUri": Device.snapshot_uri,
        "GetVideoEncoderConfigurations": Device.encoders,
        "GetVideoSources": Device.video_sources,
    },
    "tr2": {
        "GetProfiles": Device.media2_profiles,
        "GetStreamUri": Device.stream_uri,
        "GetSnapshotUri": Device.snapshot_uri,
        "GetVideoEncoderConfigurations": Device.media2_encoders,
        "GetVideoSourceConfigurations": Device.source_configurations,
        "GetMasks": Device.masks,
        "GetMaskOptions": Device.mask_options,
    },
    "trc": {"GetRecordings": Device.recordings},
    "tse": {
        "GetRecordingSummary": Device.recording_summary,
        "GetRecordingInformation": Device.recording_information,
        "FindRecordings": Device.find_recordings,
        "GetRecordingSearchResults": Device.recording_results,
        "EndSearch": Device.end_search,
    },
    "trp": {"GetReplayUri": Device.replay_uri},
}


def _answer(call: Call, device: Device) -> str:
    if call.prefix not in device.services:
        raise SoapError("ter:ActionNotSupported", "This service is not offered")
    operation = _OPERATIONS[call.prefix].get(call.operation)
    if operation is None:
        raise SoapError("ter:ActionNotSupported", "This operation is not offered", sender=False)
    name = f"{call.prefix}:{call.operation}Response"
    return f"<{name}>{operation(device, call)}</{name}>"
