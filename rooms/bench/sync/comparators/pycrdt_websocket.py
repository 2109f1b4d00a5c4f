"""pycrdt-websocket with its SQLite store, as its documentation puts the two together; an ASGI application.

ROOMS_DATABASE: path of the SQLite file.
"""

# mypy: ignore-errors
# It runs in an environment of its own.

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager, suppress

from pycrdt.store import SQLiteYStore, YDocNotFound
from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom
from pycrdt.websocket.websocket_server import exception_logger


class Store(SQLiteYStore):
    db_path = os.environ["ROOMS_DATABASE"]


class Server(WebsocketServer):
    """Rooms that are read from the store when the first client comes."""

    async def get_room(self, name: str) -> YRoom:
        if name in self.rooms:
            room = self.rooms[name]
            await room.ready_event.wait()
            return room
        store = Store(path=name)
        room = self.rooms[name] = YRoom(ready=False, ystore=store, exception_handler=exception_logger)
        await self.start_room(room)
        await store.started.wait()
        with suppress(YDocNotFound):
            await store.apply_updates(room.ydoc)
        room.ready = True
        return room


logging.disable(logging.WARNING)
server = Server(exception_handler=exception_logger)
sockets = ASGIServer(server)


@asynccontextmanager
async def serving():
    async with server:
        yield


_serving = serving()


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await _serving.__aenter__()
                await send({"type": "lifespan.startup.complete"})
            else:
                await send({"type": "lifespan.shutdown.complete"})
                return
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"okay"})
    else:
        await sockets(scope, receive, send)
