"""A bare relay: passes every message of a room on to the room's other clients and does nothing else.

What the generator can load at most is measured against it, and its own correctness is tested with it.
`python -m rooms.bench.sync.relay PORT` runs it as a process.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import re
import select
import socket
import sys
from collections import defaultdict
from collections.abc import Callable

from rooms.bench.sync import sockets
from rooms.bench.sync.dialects import STEP_1, STEP_2, SYNC, sync

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
EMPTY_UPDATE = b"\x00\x00"


class Relay:
    """Serves until `is_over`; rooms are paths."""

    def __init__(
        self,
        port: int = 0,
        *,
        prefix_size: int = 0,
        change: Callable[[bytes], list[bytes]] = lambda message: [message],
    ) -> None:
        """prefix_size: what stands before each message. change: what becomes of a message on its way, for
        tests of what the load counts.
        """
        self._prefix_size = prefix_size
        self._listening = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = int(self._listening.getsockname()[1])
        self._change = change
        self._poll = select.epoll()
        self._poll.register(self._listening.fileno(), select.EPOLLIN)
        self._rooms: dict[bytes, list[socket.socket]] = defaultdict(list)
        self._clients: dict[int, tuple[socket.socket, list[socket.socket]]] = {}
        self._rest: dict[int, bytes] = {}

    def serve(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Until it is over, asked ten times a second."""
        while not is_over():
            for number, _ in self._poll.poll(0.1):
                if number == self._listening.fileno():
                    self._admit()
                else:
                    self._read(number)
        for client, _ in self._clients.values():
            client.close()
        self._listening.close()
        self._poll.close()

    def _admit(self) -> None:
        client, _ = self._listening.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += client.recv(4096)
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", asked)
        if key is None:  # somebody who asks whether it is up
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            client.close()
            return
        accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        room = self._rooms[asked.split(b" ", 2)[1]]
        room.append(client)
        self._clients[client.fileno()] = (client, room)
        self._rest[client.fileno()] = b""
        self._poll.register(client.fileno(), select.EPOLLIN)

    def _read(self, number: int) -> None:  # noqa: C901 - the hot path
        client, room = self._clients[number]
        try:
            data = client.recv(sockets.READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._poll.unregister(number)
            room.remove(client)
            del self._clients[number], self._rest[number]
            client.close()
            return
        data = self._rest[number] + data
        skip = self._prefix_size
        at, out = 0, []
        while len(data) - at >= 6:  # a client's frame: the same with four bytes of mask, here zeros
            size, start = data[at + 1] & 0x7F, at + 2
            if size == 126:
                size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif size == 127:
                size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            start += 4
            if start + size > len(data):
                break
            payload = data[start : start + size]
            at = start + size
            if payload[skip : skip + 2] == bytes((SYNC, STEP_1)):
                client.sendall(_framed(payload[:skip] + sync(STEP_2, EMPTY_UPDATE)))
            else:
                out += [_framed(each) for each in self._change(payload)]
        self._rest[number] = data[at:]
        if out:
            together = b"".join(out)
            for other in room:
                if other is not client:
                    other.sendall(together)


def _framed(payload: bytes) -> bytes:
    """A server's frame: a client's without mask."""
    head = sockets.head(len(payload))
    return bytes((head[0], head[1] & 0x7F)) + head[2:-4] + payload


def main() -> None:
    gc.disable()
    Relay(int(sys.argv[1])).serve()


if __name__ == "__main__":
    main()
