"""Crafted messages of every other kind: cursors that lie, drawings that fetch, lines that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rooms.wire import (
    AWARENESS,
    MAX_FRAME_BYTES,
    STEP_1,
    STEP_2,
    SYNC,
    UPDATE,
    Beat,
    ChooseLanguage,
    Committed,
    Consent,
    Draw,
    Drawn,
    Microphone,
    Move,
    Moved,
    Offer,
    Refused,
    Resume,
    Said,
    Say,
)
from tests.bars.corpus.updates import OWN, STRING, Scene, item, number, string, update, updates

Outcome = Literal["closed", "told", "refused", "unheard"]
"""The socket is closed; it stays and is told why not; one of the two; it stays and hears nothing of it. In
each case nothing of it reaches anybody else and nothing is kept."""


@dataclass(frozen=True, slots=True)
class Attack:
    """A message that must be refused."""

    name: str
    frame: bytes | str
    outcome: Outcome = "closed"


def framed(kind: int, step: int, body: bytes) -> bytes:
    """A frame of the y-protocols."""
    return bytes((kind, step)) + string(body)


def vectors() -> Iterator[tuple[str, bytes]]:
    """State vectors that are none."""
    yield "no vector", b""
    yield "half a vector", number(2, OWN, 1)
    yield "a vector with bytes behind it", number(1, OWN, 1, 0)
    yield "a vector of 2**40 clients", number(1 << 40)
    yield "a vector of huge ids", number(1, (1 << 63) + 1, 1)
    yield "a vector without an end", b"\xff" * 40


def cursor(client: int, state: object, clock: int = 1) -> bytes:
    """An awareness update of one client. state: what is to be written as JSON, or the bytes themselves."""
    body = state if isinstance(state, bytes) else json.dumps(state).encode()
    return bytes((AWARENESS,)) + string(number(1, client, clock) + string(body))


def awareness(scene: Scene) -> Iterator[Attack]:
    """Cursors that lie, nest or do not end."""
    deep = b"[" * 2_000 + b"]" * 2_000
    here = {"anchor": {"tname": "code", "assoc": 0}, "head": {"tname": "code", "assoc": 0}}
    forged = {"user": {"name": "FORGED"}, "cursor": here}
    yield Attack("somebody else's cursor", cursor(scene.victim, forged), "unheard")
    yield Attack("somebody else's cursor taken away", cursor(scene.victim, None), "unheard")
    yield Attack("a state nested 2,000 deep", cursor(OWN, b'{"cursor":' + deep + b"}"))
    yield Attack("a state of no JSON", cursor(OWN, b"{"))
    yield Attack("a state that is a list", cursor(OWN, []))
    yield Attack("a state with half a surrogate", cursor(OWN, b'{"user":"\xed\xa0\x80"}'))
    yield Attack("a state of 60 kB", cursor(OWN, {"user": {"name": "x" * 60_000}}))
    yield Attack("a number of 5,000 digits", cursor(OWN, b'{"clock":' + b"9" * 5_000 + b"}"))
    yield Attack("a clientID beyond 2**53", cursor((1 << 53) + 42, forged))
    yield Attack("2**40 cursors promised", bytes((AWARENESS,)) + string(number(1 << 40)))
    yield Attack("9 cursors at once", bytes((AWARENESS,)) + string(number(9) + cursor(OWN, {})[3:] * 9))
    yield Attack("bytes behind the cursors", bytes((AWARENESS,)) + string(number(0) + b"\x00"))
    yield Attack("no cursors at all", bytes((AWARENESS,)) + string(b""))


def _json(kind: int, body: object) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return bytes((kind,)) + raw


BOX: dict[str, Any] = {
    "id": "forged", "type": "rectangle", "x": 0, "y": 0, "width": 10, "height": 10,
    "version": 1, "versionNonce": 5, "isDeleted": False,
}  # fmt: skip


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def drawings() -> Iterator[Attack]:
    """Elements of the board that no board can show, or that fetch something."""
    for name, element in {
        "an image": {**BOX, "type": "image", "fileId": "f"},
        "a page of another site": {**BOX, "type": "embeddable", "link": "https://example.org"},
        "no type": {key: value for key, value in BOX.items() if key != "type"},
        "a type that is a list": {**BOX, "type": ["rectangle"]},
        "no id": {key: value for key, value in BOX.items() if key != "id"},
        "an id of an object": {**BOX, "id": {"a": 1}},
        "an id of 10,000 characters": {**BOX, "id": "x" * 10_000},
        "an id with half a surrogate": {**BOX, "id": "\ud800"},
        "a number that is none": {**BOX, "x": float("nan")},
        "an endless number": {**BOX, "x": float("inf")},
        "a number beyond all paper": {**BOX, "x": 1e300},
        "a number of 4,000 digits": {**BOX, "x": 10**4_000},
        "a negative version": {**BOX, "version": -1},
        "a version beyond 2**31": {**BOX, "version": 1 << 40},
        "a version that is true": {**BOX, "version": True},
        "a colour that is a script": {**BOX, "strokeColor": "url(javascript:alert(1))"},
        "groups of 100 levels": {**BOX, "groupIds": _nested(100)},
        "text of 11,000 characters": {**BOX, "type": "text", "text": "x" * 11_000},
        "text with NUL": {**BOX, "type": "text", "text": "a\0b"},
        "text with half a surrogate": {**BOX, "type": "text", "text": "\ud800"},
        "no points": {**BOX, "type": "line"},
        "points that are no pairs": {**BOX, "type": "line", "points": [[1, 2, 3]]},
        "5,000 points": {**BOX, "type": "freedraw", "points": [[0, 0]] * 5_000},
        "a binding of anything": {**BOX, "type": "arrow", "points": [], "startBinding": {"a": _nested(50)}},
    }.items():
        outcome: Outcome = "refused" if "surrogate" in name else "told"
        yield Attack(f"a drawing with {name}", _json(Draw.kind, {"elements": [BOX, element]}), outcome)
    yield Attack("drawings that are no objects", _json(Draw.kind, {"elements": [1, None]}))
    yield Attack("drawings in an object", _json(Draw.kind, {"elements": {"a": BOX}}))
    deep = b'{"elements":[{"type":"rectangle","id":' + b"[" * 30_000 + b"]" * 30_000 + b"}]}"
    yield Attack("a drawing nested 30,000 deep", _json(Draw.kind, deep))
    shallow = b'{"elements":[{"type":"rectangle","id":' + b"[" * 900 + b"]" * 900 + b"}]}"
    yield Attack("a drawing nested 900 deep", _json(Draw.kind, shallow), "told")
    objects = b'{"elements":[' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"]}"
    yield Attack("a drawing of objects in objects", _json(Draw.kind, objects))


def sayings() -> Iterator[Attack]:
    """Lines, choices and moves that are none."""
    for name, fields in {
        "no words": {"key": "k", "text": " \n"},
        "2,001 characters": {"key": "k", "text": "x" * 2_001},
        "NUL": {"key": "k", "text": "a\0b"},
        "no key": {"key": "", "text": "x"},
        "a key of 65 characters": {"key": "k" * 65, "text": "x"},
    }.items():
        yield Attack(f"a line with {name}", _json(Say.kind, fields), "told")
    for name, body in {
        "a line that says who it is": {"key": "k", "text": "x", "seat": "interviewer"},
        "a line without a text": {"key": "k"},
        "a line of a number": {"key": "k", "text": 1},
        "a line that is a list": ["k", "x"],
        "a line that is null": None,
        "a line of no JSON": b"{",
        "a line that is no UTF-8": b'{"key":"k","text":"\xff"}',
        "a line with half a surrogate": {"key": "k", "text": "\ud83d"},
        "a line with half a surrogate in its key": {"key": "\ud83d", "text": "x"},
        "a line with half a surrogate in a field's name": {"key": "k", "text": "x", "\ud83d": 1},
        "a line in UTF-16": '{"key":"k","text":"x"}'.encode("utf-16-le"),
        "a line of 30,000 lists": b"[" * 30_000,
        "a line of 5,000 digits": b'{"key":"k","text":' + b"9" * 5_000 + b"}",
        "a line with bytes behind it": b'{"key":"k","text":"x"}{}',
        "nothing after the kind": b"",
    }.items():
        yield Attack(name, _json(Say.kind, body), "refused" if "surrogate" in name else "closed")
    for name, language in {
        "an unknown language": "cobol",
        "no language": "",
        "a path as language": "../../etc",
    }.items():
        yield Attack(name, _json(ChooseLanguage.kind, {"language": language}))
    yield Attack("a phase that is none", _json(Move.kind, {"phase": "heaven"}))
    for name, phase in {
        "a phase that has passed": "scheduled",
        "the end before the start": "feedback",
    }.items():
        yield Attack(name, _json(Move.kind, {"phase": phase}), "told")
    yield Attack("a phase that is a list", _json(Move.kind, {"phase": ["live"]}))
    yield Attack("a consent that is a number", _json(Consent.kind, {"recording": 1}))
    yield Attack("a place in the log before its start", Resume(-1).encode())
    yield Attack("a place in the log that is true", _json(Resume.kind, {"after_seq": True}))
    yield Attack(
        "a place in the log of 5,000 digits", _json(Resume.kind, b'{"after_seq":' + b"9" * 5_000 + b"}")
    )
    yield Attack("an offer that is null", _json(Offer.kind, {"sdp": None}))
    yield Attack("an offer of nothing", _json(Offer.kind, {"sdp": ""}), "told")
    yield Attack("an offer of 40 kB of noise", _json(Offer.kind, {"sdp": "v=0\r\na=x\r\n" * 4_000}), "told")
    yield Attack("a microphone of no kind", Microphone("FORGED").encode())


def frames() -> Iterator[Attack]:
    """What is no message of this socket at all."""
    yield Attack("text", "hello")
    yield Attack("a message in text", '{"key":"k","text":"x"}')
    yield Attack("an empty frame", b"")
    yield Attack("an empty text", "")
    for step in (3, 4, 127, 255):
        yield Attack(f"sync step {step}", framed(SYNC, step, b"\x00"))
    yield Attack("sync of no step", bytes((SYNC,)))
    yield Attack("a request for cursors with bytes behind it", b"\x03\x00")
    yield Attack("a length that is too large", bytes((SYNC, UPDATE)) + number(100) + b"\x00\x00")
    yield Attack("a length that is too small", bytes((SYNC, UPDATE)) + number(1) + b"\x00\x00")
    yield Attack("a length of 2**53 - 1", bytes((SYNC, UPDATE)) + number((1 << 53) - 1) + b"\x00\x00")
    yield Attack("a length without an end", bytes((SYNC, UPDATE)) + b"\xff" * 20)
    yield Attack("y-websocket's permission denied", b"\x02" + number(0) + string("no"))
    for kind in (4, 15, 24, 47, 58, 128, 255):
        yield Attack(f"kind {kind}", bytes((kind,)) + b"{}")
    for message in (
        Said(1, 1, "interviewer", "k", "FORGED"),
        Drawn(1, [BOX]),
        Moved(1, 1, "room", "feedback", None, None),
        Beat(1 << 40, 1),
        Refused("signed_out", "FORGED"),
        Committed(0, 1 << 40, 1 << 40),
    ):
        yield Attack(f"the server's own {type(message).__name__}", message.encode())
    yield Attack("a frame a byte too large", bytes((SYNC, UPDATE)) + bytes(MAX_FRAME_BYTES - 1))
    yield Attack("a line a byte too large", bytes((Say.kind,)) + b" " * MAX_FRAME_BYTES)


def attacks(scene: Scene) -> list[Attack]:
    """The whole corpus, the deadliest first. scene: of the room it is to be tried in."""
    crafted = list(updates(scene))
    found = [Attack(name, framed(SYNC, UPDATE, each)) for name, each in crafted]
    found += [Attack(f"in step 2: {name}", framed(SYNC, STEP_2, each)) for name, each in crafted[::3]]
    found += [Attack(name, framed(SYNC, STEP_1, each)) for name, each in vectors()]
    found += [*awareness(scene), *drawings(), *sayings(), *frames(), *known_again(scene)]
    names = [attack.name for attack in found]
    assert len(set(names)) == len(names), "each attack has a name of its own"
    return found


def known_again(scene: Scene) -> list[Attack]:
    """Lies about what is known already: taken for repetitions, and nothing of them counts."""
    past = update(item(STRING, string("x" * scene.victim_clock)), client=scene.victim)
    own = update(item(STRING, string("lie")), client=OWN)
    return [
        Attack("another's past told differently", framed(SYNC, UPDATE, past), "unheard"),
        Attack("own past told differently", framed(SYNC, UPDATE, own), "unheard"),
    ]
