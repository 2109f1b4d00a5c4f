"""What rooms/voice relies on inside aiortc and aioice: a version that changes it fails here, by name."""

from __future__ import annotations

import asyncio
import inspect

import aioice
import pylibsrtp
from aioice.ice import CandidatePair, StunProtocol
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport

from rooms.voice.addresses import Listening
from rooms.voice.ice import Path


async def test_dtls_keeps_its_srtp_sessions_where_we_take_them() -> None:
    dtls = RTCDtlsTransport(object(), [RTCCertificate.generateCertificate()])  # type: ignore[arg-type]
    assert dtls._rx_srtp is None
    assert dtls._tx_srtp is None
    source = inspect.getsource(RTCDtlsTransport._setup_srtp)
    assert "self._rx_srtp = Session(" in source
    assert "self._tx_srtp = Session(" in source
    for name in ("protect", "protect_rtcp", "unprotect", "unprotect_rtcp"):
        assert callable(getattr(pylibsrtp.Session, name))


async def test_dtls_asks_of_its_transport_only_what_our_carrier_has() -> None:
    source = inspect.getsource(RTCDtlsTransport)
    asked = {
        line.split("self.transport.")[1].split("(")[0]
        for line in source.split("\n")
        if "self.transport." in line
    }
    assert {name.rstrip(" =:,'\"").split()[0] for name in asked} <= {"_recv", "_send", "role"}


def test_dtls_takes_the_clients_part_when_its_transport_is_controlled() -> None:
    source = inspect.getsource(RTCDtlsTransport.start)
    assert 'if self.transport.role == "controlling"' in source
    assert 'self._set_role("client")' in source


async def test_ice_has_what_we_fill_in_ourselves() -> None:
    connection = aioice.Connection(ice_controlling=False)
    assert connection._local_candidates == []
    assert connection._local_candidates_start is False
    assert connection._local_candidates_end is False
    assert connection._protocols == []
    assert connection._nominated == {}
    assert isinstance(connection._queue, asyncio.Queue)
    await connection.close()


def test_ice_calls_what_we_override() -> None:
    assert list(inspect.signature(aioice.Connection.data_received).parameters) == [
        "self",
        "data",
        "component",
    ]
    assert list(inspect.signature(aioice.Connection.check_incoming).parameters) == [
        "self", "message", "addr", "protocol",
    ]  # fmt: skip
    assert "self.receiver.data_received(" in inspect.getsource(StunProtocol.datagram_received)
    assert list(inspect.signature(StunProtocol.datagram_received).parameters) == ["self", "data", "addr"]
    assert "check_message_integrity(" in inspect.getsource(aioice.Connection.request_received)
    assert "self.check_incoming(" in inspect.getsource(aioice.Connection.request_received)


async def test_a_socket_of_ours_can_be_written_to_without_waiting() -> None:
    path = Path(Listening(("127.0.0.1",)), lambda _: None)
    assert path.send_now(b"too early") is False
    await path.gather_candidates()
    (protocol,) = path._protocols
    arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
            arrived.set_result(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Receiver, local_addr=("127.0.0.1", 0)
    )
    pair = CandidatePair.__new__(CandidatePair)
    pair.protocol = protocol
    pair.remote_candidate = aioice.Candidate(
        "1", 1, "udp", 1, "127.0.0.1", transport.get_extra_info("sockname")[1], "host"
    )
    path._nominated[1] = pair
    assert path.send_now(b"now") is True
    assert await asyncio.wait_for(arrived, 5) == b"now"
    transport.close()
    await path.close()
