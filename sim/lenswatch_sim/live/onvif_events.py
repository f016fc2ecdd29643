"""ONVIF events of the live nodes: pull points, core specification section 9.

A node tells two properties: when it last booted, and of each channel whether its signal is lost.
Both are states: a new subscription hears of them at once, and ``SetSynchronizationPoint``
repeats them.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lenswatch_sim.live.nodes import LiveNode
from lenswatch_sim.protocols.soap import Call, SoapError

_MOST_SUBSCRIPTIONS = 1000
_LONGEST_S = 3600.0
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_DIALECTS = (
    "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet",
    "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete",
)

PROPERTIES = (
    "<tev:TopicNamespaceLocation>http://www.onvif.org/onvif/ver10/topics/topicns.xml"
    "</tev:TopicNamespaceLocation><wsnt:FixedTopicSet>true</wsnt:FixedTopicSet><wstop:TopicSet>"
    '<tns1:Monitoring><OperatingTime><LastReboot wstop:topic="true"><tt:MessageDescription '
    'IsProperty="true"><tt:Data><tt:SimpleItemDescription Name="Status" Type="xs:dateTime"/>'
    "</tt:Data></tt:MessageDescription></LastReboot></OperatingTime></tns1:Monitoring>"
    '<tns1:VideoSource><SignalLoss wstop:topic="true"><tt:MessageDescription IsProperty="true">'
    '<tt:Source><tt:SimpleItemDescription Name="Source" Type="tt:ReferenceToken"/></tt:Source>'
    '<tt:Data><tt:SimpleItemDescription Name="State" Type="xs:boolean"/></tt:Data>'
    "</tt:MessageDescription></SignalLoss></tns1:VideoSource></wstop:TopicSet>"
    + "".join(
        f"<wsnt:TopicExpressionDialect>{name}</wsnt:TopicExpressionDialect>" for name in _DIALECTS
    )
    + "<tev:MessageContentFilterDialect>http://www.onvif.org/ver10/tev/messageContentFilter/"
    "ItemFilter</tev:MessageContentFilterDialect><tev:MessageContentSchemaLocation>"
    "http://www.onvif.org/onvif/ver10/schema/onvif.xsd</tev:MessageContentSchemaLocation>"
)
CAPABILITIES = (
    '<tev:Capabilities WSSubscriptionPolicySupport="false" WSPullPointSupport="true" '
    'WSPausableSubscriptionManagerInterfaceSupport="false" MaxNotificationProducers="0" '
    f'MaxPullPoints="{_MOST_SUBSCRIPTIONS}" PersistentNotificationStorage="false"/>'
)


@dataclass
class Subscription:
    """One pull point: what waits to be fetched, and until when it lives."""

    node: LiveNode
    ends: datetime
    waiting: list[str] = field(default_factory=list)


class Subscriptions:
    """All pull points of all nodes. Raises :class:`SoapError` for one that is not there."""

    def __init__(self) -> None:
        self._booted = datetime.now(UTC)
        self._made = 0
        self._open: dict[int, Subscription] = {}

    def create(self, node: LiveNode, call: Call, address: str) -> str:
        """CreatePullPointSubscription; ``address`` is that of the event service."""
        now = datetime.now(UTC)
        self._open = {number: one for number, one in self._open.items() if one.ends > now}
        if len(self._open) >= _MOST_SUBSCRIPTIONS:
            raise SoapError("ter:MaxPullPoints", "Too many pull points", sender=False)
        self._made += 1
        ends = now + timedelta(seconds=_seconds(call.argument("InitialTerminationTime"), 60.0))
        self._open[self._made] = one = Subscription(node, ends)
        one.waiting = self._states(node)
        return (
            f"<tev:SubscriptionReference><wsa:Address>{address}/{self._made}</wsa:Address>"
            f"</tev:SubscriptionReference><wsnt:CurrentTime>{_text(now)}</wsnt:CurrentTime>"
            f"<wsnt:TerminationTime>{_text(ends)}</wsnt:TerminationTime>"
        )

    async def pull(self, node: LiveNode, call: Call, target: str) -> str:
        """PullMessages: waits as long as the client says where nothing is there to tell."""
        _, one = self._find(node, target)
        if not one.waiting:
            await asyncio.sleep(min(_seconds(call.argument("Timeout"), 5.0), 60.0))
        limit = call.argument("MessageLimit")
        most = int(limit) if limit.isdigit() and int(limit) else 1
        told, one.waiting = one.waiting[:most], one.waiting[most:]
        return (
            f"<tev:CurrentTime>{_text(datetime.now(UTC))}</tev:CurrentTime>"
            f"<tev:TerminationTime>{_text(one.ends)}</tev:TerminationTime>{''.join(told)}"
        )

    def synchronize(self, node: LiveNode, target: str) -> str:
        """SetSynchronizationPoint: every state is told once more."""
        _, one = self._find(node, target)
        one.waiting = self._states(node)
        return ""

    def renew(self, node: LiveNode, call: Call, target: str) -> str:
        """Renew of WS-BaseNotification."""
        _, one = self._find(node, target)
        now = datetime.now(UTC)
        one.ends = now + timedelta(seconds=_seconds(call.argument("TerminationTime"), 60.0))
        return (
            f"<wsnt:TerminationTime>{_text(one.ends)}</wsnt:TerminationTime>"
            f"<wsnt:CurrentTime>{_text(now)}</wsnt:CurrentTime>"
        )

    def end(self, node: LiveNode, target: str) -> str:
        """Unsubscribe."""
        number, _ = self._find(node, target)
        del self._open[number]
        return ""

    def _find(self, node: LiveNode, target: str) -> tuple[int, Subscription]:
        text = target.rpartition("/")[2]
        number = int(text) if text.isdecimal() and len(text) < 10 else 0
        one = self._open.get(number)
        if one is None or one.node is not node or one.ends < datetime.now(UTC):
            raise SoapError("ter:InvalidArgVal", "No such subscription")
        return number, one

    def _states(self, node: LiveNode) -> list[str]:
        booted = _message(
            "Monitoring/OperatingTime/LastReboot",
            self._booted,
            "",
            f'<tt:SimpleItem Name="Status" Value="{_text(self._booted)}"/>',
        )
        return [booted] + [
            _message(
                "VideoSource/SignalLoss",
                self._booted,
                f'<tt:SimpleItem Name="Source" Value="input{number}"/>',
                '<tt:SimpleItem Name="State" Value="false"/>',
            )
            for number in range(len(node.channels))
        ]


def _message(topic: str, moment: datetime, source: str, data: str) -> str:
    return (
        f'<wsnt:NotificationMessage><wsnt:Topic Dialect="{_DIALECTS[0]}">tns1:{topic}</wsnt:Topic>'
        f'<wsnt:Message><tt:Message UtcTime="{_text(moment)}" PropertyOperation="Initialized">'
        f"<tt:Source>{source}</tt:Source><tt:Data>{data}</tt:Data></tt:Message></wsnt:Message>"
        "</wsnt:NotificationMessage>"
    )


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _seconds(text: str, usual: float) -> float:
    """Seconds to an XML duration or moment, at most an hour; ``usual`` where unreadable."""
    found = _DURATION.fullmatch(text)
    if found and any(found.groups()):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return min(((days * 24 + hours) * 60 + minutes) * 60 + seconds, _LONGEST_S)
    try:
        until = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return min(max((until - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_S)
    except (ValueError, TypeError):
        return usual
