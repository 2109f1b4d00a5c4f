"""Every message on a room's socket and every close code. Plain Python.

One WebSocket message holds one frame: a kind (one byte), then its body. Kinds 0, 1 and 3 are the
y-protocols (https://github.com/yjs/y-protocols/blob/master/PROTOCOL.md), so that any Yjs client can write
in a room: sync step 1, sync step 2, update, awareness. Kinds from 16 are Anteroom's own with a JSON body in
UTF-8; `Committed` alone is packed, since it follows every keystroke. A plain Yjs client skips what it does
not know. Text frames are refused.

A message marked `durable` is logged, shown to others only after its commit, and acknowledged by
`Committed.saved`. A `volatile` one lives in memory; the newest wins.

The server stamps the seat; a client never says who it is. frontend/src/wire.ts has the same names, and both
languages read every file in tests/golden/ alike.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

MAX_FRAME_BYTES = 64 * 1024
"""From a client. Larger frames are refused before anything reads them."""
MAX_CHAT_CHARACTERS = 2_000
MAX_KEY_CHARACTERS = 64

SYNC, AWARENESS, ASK_AWARENESS = 0, 1, 3
STEP_1, STEP_2, UPDATE = 0, 1, 2
_UPDATE, _AWARENESS = bytes((SYNC, UPDATE)), bytes((AWARENESS,))

Mark = Literal["durable", "volatile"]


class Malformed(ValueError):
    """These bytes are no frame of this protocol."""


# --- varints, as in lib0 ------------------------------------------------------------------------------


_ONE_BYTE = [bytes((number,)) for number in range(0x80)]


def write_varint(number: int) -> bytes:
    """An unsigned integer below 2**53 as lib0's variable-length bytes, seven bits each, low ones first."""
    if number < 0x80:
        return _ONE_BYTE[number]
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    if number < 0x20_0000:
        return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))
    out = bytearray()
    while number > 0x7F:
        out.append(0x80 | (number & 0x7F))
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(frame: bytes, at: int) -> tuple[int, int]:
    """The number that starts at offset `at`, and the offset behind it. Raises Malformed."""
    number = shift = 0
    while True:
        if at >= len(frame):
            raise Malformed("a number has no end")
        byte = frame[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 49:
            raise Malformed("a number is too long")
    if number >= 1 << 53:
        raise Malformed("a number is too large")
    return number, at


def _take_rest(frame: bytes, at: int) -> bytes:
    """The length-prefixed bytes that make up the rest of the frame. Raises Malformed."""
    size, at = (frame[at], at + 1) if at < len(frame) and frame[at] < 0x80 else read_varint(frame, at)
    if at + size != len(frame):
        raise Malformed("a length does not fit the frame")
    return frame[at:]


def _with_length(body: bytes) -> bytes:
    return write_varint(len(body)) + body


def read_json(body: bytes) -> Any:
    """What the JSON in these bytes says. Raises ValueError, RecursionError.

    UTF-8 alone, and no half of a surrogate pair, which no UTF-8 could hold on its way back.
    """
    values = json.loads(body.decode())
    if b"\\u" in body:
        json.dumps(values, ensure_ascii=False).encode()
    return values


# --- the y-protocols ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SyncStep1:
    """Either way: what I have of the document (a state vector); send me the rest."""

    vector: bytes
    mark: ClassVar[Mark] = "volatile"

    def encode(self) -> bytes:
        return bytes((SYNC, STEP_1)) + _with_length(self.vector)


@dataclass(frozen=True, slots=True)
class SyncStep2:
    """Either way: what you lacked of the document. From a client it counts as an edit."""

    update: bytes
    mark: ClassVar[Mark] = "durable"

    def encode(self) -> bytes:
        return bytes((SYNC, STEP_2)) + _with_length(self.update)


@dataclass(frozen=True, slots=True)
class Edit:
    """Either way: one change of the code document (a V1 update)."""

    update: bytes
    mark: ClassVar[Mark] = "durable"

    def encode(self) -> bytes:
        return _UPDATE + write_varint(len(self.update)) + self.update


@dataclass(frozen=True, slots=True)
class Awareness:
    """Either way: cursors. From a client only its cursor counts; who it is comes from the seat."""

    update: bytes
    mark: ClassVar[Mark] = "volatile"

    def encode(self) -> bytes:
        return _AWARENESS + write_varint(len(self.update)) + self.update


@dataclass(frozen=True, slots=True)
class AskAwareness:
    """From a client: send me everybody's cursor."""

    mark: ClassVar[Mark] = "volatile"

    def encode(self) -> bytes:
        return bytes((ASK_AWARENESS,))


# --- Anteroom's own, from a client --------------------------------------------------------------------


class _Json:
    """A frame whose body is one JSON object with exactly the fields of the class."""

    __slots__ = ()
    kind: ClassVar[int]

    def encode(self) -> bytes:
        body = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}  # type: ignore[arg-type]
        return bytes((self.kind,)) + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Say(_Json):
    """From a client: a line of chat. The key (random, made by the client) lets it be sent again safely."""

    key: str
    text: str
    kind: ClassVar[int] = 16
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class Draw(_Json):
    """From a client: board elements that changed, as Excalidraw writes them; the newest version wins."""

    elements: list[dict[str, Any]]
    kind: ClassVar[int] = 17
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class ChooseLanguage(_Json):
    """From a client: the language the code is written in, one of rooms/live/languages.py.

    The key (random, made by the client) lets it be sent again safely: others may have chosen since.
    """

    language: str
    key: str = ""
    kind: ClassVar[int] = 18
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class Move(_Json):
    """From a client: bring the room to another phase (start it, end it, close it)."""

    phase: str
    kind: ClassVar[int] = 19
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class Consent(_Json):
    """From a client: this side does, or no longer does, agree to a recording of its voice. key: as above."""

    recording: bool
    key: str = ""
    kind: ClassVar[int] = 20
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class Resume(_Json):
    """From a client: I have the log up to here; send me what I lack. Answered with Welcome."""

    after_seq: int
    kind: ClassVar[int] = 21
    mark: ClassVar[Mark] = "volatile"


@dataclass(frozen=True, slots=True)
class Offer(_Json):
    """From a client: let me speak and hear (an SDP offer). Answered with Answer or Refused."""

    sdp: str
    kind: ClassVar[int] = 22
    mark: ClassVar[Mark] = "volatile"


@dataclass(frozen=True, slots=True)
class Microphone(_Json):
    """From a client: my microphone is off, on, or muted by me."""

    state: str
    kind: ClassVar[int] = 23
    mark: ClassVar[Mark] = "volatile"


# --- Anteroom's own, from the server ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Welcome(_Json):
    """From the server, first of all: the room as this seat may see it, but for the code.

    `lines` and `elements` hold what came after the `after_seq` of a Resume, everything without one.
    `at_ms` is the room's clock now; `live_at_ms` when the interview began, null before.
    `ends_at_ms` is when the phase ends by itself (the interview, then the goodbye), null
    before the interview. `seats` are the dicts of Present.
    """

    seat: str
    title: str
    phase: str
    language: str
    seq: int
    at_ms: int
    live_at_ms: int | None
    ends_at_ms: int | None
    seats: list[dict[str, Any]]
    lines: list[dict[str, Any]] = field(default_factory=list)
    elements: list[dict[str, Any]] = field(default_factory=list)
    kind: ClassVar[int] = 48
    mark: ClassVar[Mark] = "volatile"


@dataclass(frozen=True, slots=True)
class Said(_Json):
    """From the server: a line of chat in its place; `seq` orders it, `key` is the writer's."""

    seq: int
    at_ms: int
    seat: str
    key: str
    text: str
    kind: ClassVar[int] = 49
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class Drawn(_Json):
    """From the server: board elements as the room keeps them now."""

    seq: int
    elements: list[dict[str, Any]]
    kind: ClassVar[int] = 50
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class LanguageChosen(_Json):
    """From the server: the code's language is now this one."""

    seq: int
    at_ms: int
    seat: str
    language: str
    kind: ClassVar[int] = 51
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class Moved(_Json):
    """From the server: the room is in another phase. `seat` is who moved it, "room" for a timer."""

    seq: int
    at_ms: int
    seat: str
    phase: str
    live_at_ms: int | None
    ends_at_ms: int | None
    kind: ClassVar[int] = 52
    mark: ClassVar[Mark] = "durable"


@dataclass(frozen=True, slots=True)
class Present(_Json):
    """From the server: every seat, whether someone sits there now, and what may be known of them.

    Each seat is {"seat", "mask", "here": bool, "recording": bool (consents), "microphone"}.
    """

    seats: list[dict[str, Any]]
    kind: ClassVar[int] = 53
    mark: ClassVar[Mark] = "volatile"


@dataclass(frozen=True, slots=True)
class Committed:
    """From the server: the log grew from `after_seq` to `seq`; the frames just before this one show it.

    `saved` counts the durable messages of this connection that are committed or needed no place in the log.
    A client whose own place is not `after_seq` has a gap and sends Resume and SyncStep1.
    """

    after_seq: int
    seq: int
    saved: int
    kind: ClassVar[int] = 54
    mark: ClassVar[Mark] = "volatile"

    def encode(self) -> bytes:
        return _COMMITTED + write_varint(self.after_seq) + write_varint(self.seq) + write_varint(self.saved)


_COMMITTED = bytes((Committed.kind,))


@dataclass(frozen=True, slots=True)
class Beat(_Json):
    """From the server, every few seconds: where the log stands, and the room's clock."""

    seq: int
    at_ms: int
    kind: ClassVar[int] = 55
    mark: ClassVar[Mark] = "volatile"


@dataclass(frozen=True, slots=True)
class Refused(_Json):
    """From the server: one message was refused, the socket stays. `key` is that of a refused Say, else ""."""

    code: str
    sentence: str
    key: str = ""
    kind: ClassVar[int] = 56
    mark: ClassVar[Mark] = "volatile"


@dataclass(frozen=True, slots=True)
class Answer(_Json):
    """From the server: how to reach the room's voice (an SDP answer that names the server alone)."""

    sdp: str
    kind: ClassVar[int] = 57
    mark: ClassVar[Mark] = "volatile"


FROM_CLIENT: tuple[type[_Json], ...] = (
    Say, Draw, ChooseLanguage, Move, Consent, Resume, Offer, Microphone,
)  # fmt: skip
FROM_SERVER: tuple[type[_Json], ...] = (
    Welcome, Said, Drawn, LanguageChosen, Moved, Present, Beat, Refused, Answer,
)  # fmt: skip

Yjs = SyncStep1 | SyncStep2 | Edit | Awareness | AskAwareness
ClientMessage = Yjs | Say | Draw | ChooseLanguage | Move | Consent | Resume | Offer | Microphone
ServerMessage = (
    SyncStep1 | SyncStep2 | Edit | Awareness
    | Welcome | Said | Drawn | LanguageChosen | Moved | Present | Committed | Beat | Refused | Answer
)  # fmt: skip

_CLIENT_KINDS: dict[int, type[_Json]] = {message.kind: message for message in FROM_CLIENT}
_SERVER_KINDS: dict[int, type[_Json]] = {message.kind: message for message in FROM_SERVER}
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "int | None": (int, type(None)),
    "list[dict[str, Any]]": (list,),
}


def decode_from_client(frame: bytes) -> ClientMessage:
    """The message in these bytes, checked for its form alone. Raises Malformed."""
    message = _decode(frame, _CLIENT_KINDS)
    return message  # type: ignore[no-any-return]


def decode_from_server(frame: bytes) -> ServerMessage:
    """What a client reads; used by Python clients and by tests. Raises Malformed."""
    if frame[:1] == bytes((Committed.kind,)):
        after_seq, at = read_varint(frame, 1)
        seq, at = read_varint(frame, at)
        saved, at = read_varint(frame, at)
        if at != len(frame):
            raise Malformed("bytes follow the frame")
        return Committed(after_seq, seq, saved)
    message = _decode(frame, _SERVER_KINDS)
    return message  # type: ignore[no-any-return]


def _decode(frame: bytes, kinds: dict[int, type[_Json]]) -> Any:
    if not frame:
        raise Malformed("an empty frame")
    kind = frame[0]
    if kind == SYNC:
        if len(frame) < 2 or frame[1] not in (STEP_1, STEP_2, UPDATE):
            raise Malformed("no such sync step")
        return (SyncStep1, SyncStep2, Edit)[frame[1]](_take_rest(frame, 2))
    if kind == AWARENESS:
        return Awareness(_take_rest(frame, 1))
    if kind == ASK_AWARENESS:
        if len(frame) != 1:
            raise Malformed("bytes follow the frame")
        return AskAwareness()
    message = kinds.get(kind)
    if message is None:
        raise Malformed(f"no message of kind {kind}")
    return _from_json(message, frame[1:])


def _from_json(message: type[_Json], body: bytes) -> _Json:
    try:
        values = read_json(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{message.__name__} is not JSON") from error
    if not isinstance(values, dict):
        raise Malformed(f"{message.__name__} is not an object")
    fields = {item.name: item for item in dataclasses.fields(message)}  # type: ignore[arg-type]
    if values.keys() - fields.keys():
        raise Malformed(f"{message.__name__} has a field it does not know")
    for name, item in fields.items():
        if name not in values:
            if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
                raise Malformed(f"{message.__name__} lacks {name}")
            continue
        value, wanted = values[name], _TYPES[str(item.type)]
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise Malformed(f"{message.__name__}.{name} is of the wrong type")
        if isinstance(value, list) and not all(isinstance(each, dict) for each in value):
            raise Malformed(f"{message.__name__}.{name} holds something other than objects")
    return message(**values)


# --- close codes --------------------------------------------------------------------------------------

CLOSE_CODES: dict[int, str] = {
    1000: "done",
    1009: "frame_too_large",
    1012: "restarting",
    1013: "try_again",
    4400: "bad_frame",
    4401: "signed_out",
    4404: "no_such_room",
    4410: "room_ended",
    4413: "code_too_long",
    4429: "too_many_sockets",
    4508: "too_slow",
}
"""Close code to error code. A page reconnects by itself after 1006, 1012, 1013 and 4508; y-websocket takes
4400 to 4499 as final and 4500 to 4599 as "later", and so do we."""
