"""How long the server holds a voice: `.venv/bin/python -m tests.rooms.voice.delay --rooms 1 --seconds 20`.

The desk runs in a process of its own, the callers in this one. Each packet carries the time it was sent; what
the same packets take from socket to socket without a server is measured too and printed beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import struct
import sys
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")

FRAME_S = 0.02
HEADER = struct.Struct("!BBHII")
SENT_AT = struct.Struct("!Q")
PAYLOAD_BYTES = 80
"""Some 32 kbit/s, as browsers send speech."""


def serve(orders: Connection) -> None:
    """The desk's process: answers offers until it is told to stop, then says what it used."""
    from rooms.roles import Role
    from rooms.voice.addresses import Listening
    from rooms.voice.desk import Desk

    async def answer_all() -> None:
        desk, loop = Desk(Listening(("127.0.0.1",))), asyncio.get_running_loop()
        await desk.warm_up()
        orders.send("ready")
        while order := await loop.run_in_executor(None, orders.recv):
            if order == "cpu":
                used = resource.getrusage(resource.RUSAGE_SELF)
                orders.send(used.ru_utime + used.ru_stime)
                continue
            room_id, connection_id, role, sdp = json.loads(order)
            orders.send(
                await desk.answer(room_id=room_id, connection_id=connection_id, role=Role(role), sdp=sdp)
            )
        await desk.close()

    asyncio.run(answer_all())


async def call(orders: Connection, room: int, role: int, delays_ns: list[int]) -> tuple[object, object]:
    """One person on the line: (connection, DTLS transport); what they hear is noted in `delays_ns`."""
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

    from tests.rooms.voice.callers import until

    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    transceiver = pc.addTransceiver("audio", direction="sendrecv")
    await pc.setLocalDescription(await pc.createOffer())
    orders.send(json.dumps([f"room {room}", f"{room}-{role}", role, pc.localDescription.sdp]))
    answer = await asyncio.get_running_loop().run_in_executor(None, orders.recv)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    dtls = transceiver.receiver.transport

    async def heard(data: bytes, arrival_time_ms: int) -> None:
        delays_ns.append(time.monotonic_ns() - SENT_AT.unpack_from(data, HEADER.size)[0])

    dtls._handle_rtp_data = heard
    await until(lambda: pc.connectionState == "connected")
    return pc, dtls


def packet(number: int, ssrc: int) -> bytes:
    payload = SENT_AT.pack(time.monotonic_ns()).ljust(PAYLOAD_BYTES, b"\0")
    return HEADER.pack(0x80, 96, number & 0xFFFF, number * 960 & 0xFFFFFFFF, ssrc) + payload


async def speak(dtls: object, ssrc: int, seconds: float, phase: float) -> None:
    await asyncio.sleep(phase * FRAME_S)
    started_s = time.monotonic()
    for number in range(int(seconds / FRAME_S)):
        await asyncio.sleep(max(0.0, started_s + number * FRAME_S - time.monotonic()))
        await dtls._send_rtp(packet(number, ssrc))  # type: ignore[attr-defined]


async def without_server(seconds: float) -> list[int]:
    """The same packets from socket to socket of this process."""
    delays_ns: list[int] = []

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            delays_ns.append(time.monotonic_ns() - SENT_AT.unpack_from(data, HEADER.size)[0])

    loop = asyncio.get_running_loop()
    ear, _ = await loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    mouth, _ = await loop.create_datagram_endpoint(Ear, remote_addr=ear.get_extra_info("sockname")[:2])
    for number in range(int(seconds / FRAME_S)):
        mouth.sendto(packet(number, 1))
        await asyncio.sleep(FRAME_S)
    ear.close()
    mouth.close()
    return delays_ns


def milliseconds(delays_ns: Iterable[int]) -> str:
    ordered = sorted(delays_ns)
    p50, p99 = (ordered[int(len(ordered) * share)] / 1e6 for share in (0.50, 0.99))
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, largest {ordered[-1] / 1e6:.2f} ms ({len(ordered)} packets)"


async def measure(rooms: int, seconds: float, orders: Connection) -> None:
    import aioice.ice

    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, orders.recv)
    print("socket to socket:     ", milliseconds(await without_server(min(seconds, 5))))
    delays_ns: list[int] = []
    started_s = time.monotonic()
    callers = [await call(orders, room, role, delays_ns) for room in range(rooms) for role in (1, 2)]
    print(f"on the line after:     {(time.monotonic() - started_s) / len(callers) * 1e3:.0f} ms each")
    orders.send("cpu")
    before_s = orders.recv()
    await asyncio.gather(
        *(speak(dtls, place + 1, seconds, place / len(callers)) for place, (_, dtls) in enumerate(callers))
    )
    await asyncio.sleep(0.2)
    orders.send("cpu")
    used = (orders.recv() - before_s) / seconds
    sent = int(seconds / FRAME_S) * len(callers)
    print(f"caller to caller:      {milliseconds(delays_ns)}")
    print(f"lost:                  {sent - len(delays_ns)} of {sent}")
    print(f"the server's CPU:      {used / len(callers):.2%} of a core per person")
    for pc, _ in callers:
        await pc.close()  # type: ignore[attr-defined]
    orders.send("")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=1, help="rooms of two people who both speak")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    asyncio.run(measure(options.rooms, options.seconds, ours))
    server.join()
