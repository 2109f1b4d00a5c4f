"""Messages bent at random: of every kind that a socket takes, of those that only a server sends, and of none.

Most are nearly right, since what is plainly wrong is refused at the first byte and finds nothing. Real
keystrokes stand between the bent ones, so that there is something to break. One generator, one seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pycrdt import Doc, Text, TransactionEvent

from rooms.live.gate import ROOT, read_vector
from rooms.traces import Change
from rooms.wire import (
    ASK_AWARENESS,
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
    Microphone,
    Move,
    Offer,
    Resume,
    Say,
    write_varint,
)
from tests.bars.corpus.messages import BOX, cursor, framed
from tests.bars.corpus.updates import Scene, number, updates

VALID_SHARE = 0.85
"""Of edits and cursors: as a page sends them. A refusal costs a connection."""
OWN_KINDS = (16, 17, 18, 19, 20, 21, 22, 23)
WORDS = (
    "",
    "x",
    "return ",
    "\n    ",
    "🙂",
    "e\u0301",
    "\u202e",
    "\u0000",
    "\ufeff",
    "<b>",
    "${x}",
    "' OR 1=1 --",
    "\uffff",
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One message to send. `is_valid`: as a page sends it; if refused, something came before in its name."""

    frame: bytes | str
    is_valid: bool = False
    is_raw: bool = False
    """Bytes for the connection itself rather than a WebSocket message."""


class Mill:
    """Makes messages of one kind for one connection after the other."""

    def __init__(self, kind: str, rng: random.Random, changes: list[Change]) -> None:
        """kind: one of KINDS. changes: what a person typed, for the keystrokes."""
        self._make: Callable[[], Shot] = getattr(self, KINDS[kind])
        self._step = STEP_2 if kind == "sync step 2" else UPDATE
        self._rng = rng
        self._changes = changes
        self._next = rng.randrange(len(changes)) if changes else 0
        self._again: list[Shot] = []
        self._crafted = [update for _, update in updates(Scene(rng.randrange(1 << 32), 5))]
        self._start_afresh()

    def take(self, count: int) -> list[Shot]:
        """The next messages, those that were given back first."""
        taken, self._again = self._again[:count], self._again[count:]
        return taken + [self._make() for _ in range(count - len(taken))]

    def give_back(self, shots: list[Shot], refused: Shot | None) -> None:
        """What was not reached because something before it, perhaps `refused`, ended the connection."""
        if refused is not None and refused.is_valid and self._step_kinds:
            self._start_afresh()  # a bent message was taken in its writer's name
            shots = [shot for shot in shots if not shot.is_valid]
        self._again = shots + self._again

    @property
    def _step_kinds(self) -> bool:
        return self._make in (self._edit,)

    def _start_afresh(self) -> None:
        self._doc: Doc[Text] = Doc(client_id=self._rng.randrange(1 << 32))
        self._text = self._doc.get(ROOT, type=Text)
        self._made: list[bytes] = []
        self._subscription = self._doc.observe(self._remember)

    def _remember(self, event: TransactionEvent) -> None:
        self._made.append(event.update)

    # --- the y-protocols ------------------------------------------------------------------------------

    def _edit(self) -> Shot:
        rng = self._rng
        if rng.random() < VALID_SHARE:
            return Shot(framed(SYNC, self._step, self._keystroke()), is_valid=True)
        choice = rng.random()
        if choice < 0.25:  # the deadliest, which stand first, more often than the rest
            crafted = self._crafted[int(rng.random() ** 3 * len(self._crafted))]
            return Shot(framed(SYNC, self._step, crafted))
        if choice < 0.35:
            return Shot(framed(SYNC, self._step, self._structs()))
        if choice < 0.5:  # known already, or of somebody else's clock
            return Shot(framed(SYNC, self._step, self._doc.get_update()))
        if choice < 0.7:
            return Shot(
                framed(
                    SYNC,
                    self._step,
                    self._doc.get_update(number(1, self._doc.client_id, rng.randrange(1, 9))),
                )
            )
        bent = self._bent(self._made[-1] if self._made else self._keystroke())
        return Shot(
            framed(SYNC, self._step, bent)
            if rng.random() < 0.8
            else self._bent(framed(SYNC, self._step, bent))
        )

    def _keystroke(self) -> bytes:
        """What somebody typed next, at a place that there is."""
        self._made.clear()
        while not self._made:
            change = self._changes[self._next % len(self._changes)]
            self._next += 1
            with self._doc.transaction():
                for position, deleted, inserted in change.patches:
                    length = len(str(self._text).encode())
                    at = min(position % 400, length)
                    if deleted and at < length and str(self._text).isascii():
                        del self._text[at : min(length, at + deleted)]
                    if inserted:
                        self._text.insert(at if str(self._text).isascii() else length, inserted)
        return self._made[-1]

    def _structs(self) -> bytes:
        """An update of structs that fit together by chance."""
        rng = self._rng
        mine = read_vector(self._doc.get_state()).get(self._doc.client_id, 0)
        clients = [self._doc.client_id, rng.randrange(1 << 32), rng.randrange(1 << 53), 7]
        out = bytearray(number(count := rng.choice((1, 1, 1, 2))))
        for _ in range(count):
            client = rng.choice(clients)
            structs = rng.choice((1, 1, 2, 5))
            out += number(structs, client, rng.choice((0, mine, mine, mine + 1, rng.randrange(1 << 31))))
            for _ in range(structs):
                info = rng.choice((0, 1, 4, 4, 4, 6, rng.randrange(256)))
                out.append(info | rng.choice((0, 0x80, 0x40, 0xC0)) if info else 0)
                if info & 0x80:
                    out += number(rng.choice(clients), rng.randrange(max(1, mine)))
                if info & 0x40:
                    out += number(rng.choice(clients), rng.randrange(max(1, mine)))
                out += b"\x01\x04code" if not info & 0xC0 and info else b""
                out += number(rng.choice((1, 2, 1 << 20))) + rng.randbytes(rng.randrange(4))
        out += number(rng.choice((0, 0, 1)))
        out += number(self._doc.client_id, 1, rng.randrange(max(1, mine)), rng.randrange(5))
        return bytes(out)

    def _vector(self) -> Shot:
        rng = self._rng
        count = rng.choice((0, 1, 3, 50))
        vector = number(count) + b"".join(
            number(rng.randrange(1 << rng.choice((8, 32, 53))), rng.randrange(1 << 31)) for _ in range(count)
        )
        if rng.random() > 0.9:
            vector = self._bent(vector)
        return Shot(framed(SYNC, STEP_1, vector))

    def _cursor(self) -> Shot:
        rng = self._rng
        place = {"type": None, "tname": rng.choice((ROOT, None)), "item": None, "assoc": rng.choice((0, -1))}
        item = {"client": rng.randrange(1 << 53), "clock": rng.randrange(1 << 31)}
        state: Any = {
            "user": {"name": rng.choice(WORDS)},
            "cursor": {"anchor": place, "head": {**place, "item": item}},
        }
        if rng.random() > VALID_SHARE:
            state = self._odd(state)
        clients = (self._doc.client_id, rng.randrange(1 << 32))
        try:
            body = json.dumps(state, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
        except ValueError:
            body = b"{}"
        if len(body) > 4_000 and rng.random() < 0.9:
            body = b"null"
        frame = cursor(rng.choice(clients), body, clock=rng.randrange(1 << 40))
        return Shot(self._bent(frame) if rng.random() > 0.97 else frame)

    def _ask(self) -> Shot:
        frame = bytes((ASK_AWARENESS,))
        return Shot(
            frame if self._rng.random() < 0.9 else frame + self._rng.randbytes(self._rng.randrange(3))
        )

    # --- JSON -----------------------------------------------------------------------------------------

    def _json(self, kind: int, body: dict[str, Any], share: float = VALID_SHARE) -> Shot:
        rng = self._rng
        value: Any = body
        if rng.random() > share:
            key = rng.choice(sorted(body))
            value = {**body, key: self._odd(body[key])} if rng.random() < 0.8 else self._odd(body)
        try:
            raw = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
        except ValueError:
            raw = b'{"' + b"x" * 100
        frame = bytes((kind,)) + raw
        return Shot(self._bent(frame) if rng.random() > 0.97 else frame)

    def _say(self) -> Shot:
        key = "".join(self._rng.choices("abc0", k=12)) if self._rng.random() < 0.9 else self._word()
        return self._json(Say.kind, {"key": key, "text": self._word() + self._word()}, 0.95)

    def _draw(self) -> Shot:
        rng = self._rng
        element: dict[str, Any] = {**BOX, "id": f"b{rng.randrange(50)}", "version": rng.randrange(1, 1 << 20)}
        if rng.random() < 0.5:
            key = rng.choice([*element, "points", "text", "groupIds", "startBinding", "type", "__proto__"])
            element[key] = self._odd(element.get(key))
        return self._json(Draw.kind, {"elements": [element] * rng.choice((1, 1, 2, 20))}, 0.95)

    def _choose(self) -> Shot:
        return self._json(ChooseLanguage.kind, {"language": self._rng.choice(("python", "rust", "go"))}, 0.95)

    def _move(self) -> Shot:
        """Never to a phase that ends the room, or the rest would be tried against a closed door."""
        return self._json(Move.kind, {"phase": self._rng.choice(("live", "lobby", "scheduled"))}, 0.95)

    def _consent(self) -> Shot:
        return self._json(Consent.kind, {"recording": self._rng.random() < 0.5}, 0.95)

    def _resume(self) -> Shot:
        return self._json(
            Resume.kind, {"after_seq": self._rng.randrange(1 << self._rng.choice((4, 31, 70)))}, 0.9
        )

    def _offer(self) -> Shot:
        lines = [
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:0", "a=rtpmap:111 opus/48000/2",
            "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=setup:actpass",
        ]  # fmt: skip
        self._rng.shuffle(lines) if self._rng.random() < 0.3 else None
        del lines[self._rng.randrange(len(lines)) :]
        return self._json(Offer.kind, {"sdp": "\r\n".join(lines)}, 0.95)

    def _microphone(self) -> Shot:
        return self._json(Microphone.kind, {"state": self._rng.choice(("on", "off", "muted"))}, 0.95)

    def _word(self) -> str:
        return self._rng.choice(WORDS) * self._rng.choice((1, 1, 3))

    def _odd(self, value: Any) -> Any:
        """Something else in its place."""
        rng = self._rng
        deep: Any = 1
        for _ in range(rng.choice((3, 50, 500))):
            deep = [deep] if rng.random() < 0.5 else {"a": deep}
        more = {**value, rng.choice(WORDS): 1} if isinstance(value, dict) else value
        return rng.choice([
            None, True, 0, -1, 1 << 31, 1 << 53, 1 << 64, 1e308, 0.1, float("nan"), "", "NaN", "\ud83d",
            "x" * rng.choice((1, 64, 65, 2_001, 9_000)), rng.choice(WORDS), [], {}, [value], {"a": value},
            more, deep,
        ])  # fmt: skip

    # --- what is no message of a page ---------------------------------------------------------------------

    def _servers(self) -> Shot:
        rng = self._rng
        if rng.random() < 0.3:
            frame = rng.choice(
                (Committed(0, rng.randrange(1 << 40), 1), Beat(rng.randrange(1 << 40), 1))
            ).encode()
        else:
            frame = bytes((rng.randrange(48, 58),)) + json.dumps(self._odd({"seq": 1})).encode(
                errors="replace"
            )
        return Shot(frame)

    def _unknown(self) -> Shot:
        known = {0, 1, 3, *OWN_KINDS, *range(48, 58)}
        kind = self._rng.choice([each for each in range(256) if each not in known])
        return Shot(bytes((kind,)) + self._rng.randbytes(self._rng.choice((0, 1, 10, 300))))

    def _words(self) -> Shot:
        return Shot(self._rng.choice(('{"key":"k","text":"x"}', "\x10{}", self._word(), "x" * 70_000)))

    def _noise(self) -> Shot:
        return Shot(self._rng.randbytes(self._rng.choice((0, 1, 2, 3, 10, 100, 5_000, MAX_FRAME_BYTES + 1))))

    def _no_websocket(self) -> Shot:
        """Bytes that are no frame of a WebSocket, or one of a kind that nobody sends."""
        rng = self._rng
        first, second = rng.randrange(256), rng.choice((rng.randrange(256), 0xFF, 0xFE, 0x80))
        return Shot(bytes((first, second)) + rng.randbytes(rng.choice((0, 2, 8, 100, 4_000))), is_raw=True)

    def _bent(self, frame: bytes) -> bytes:
        """One to three bytes changed, lost or added, or the end cut off."""
        rng, bent = self._rng, bytearray(frame)
        for _ in range(rng.choice((1, 1, 2, 3))):
            at = rng.randrange(len(bent)) if bent else 0
            match rng.randrange(5):
                case 0 | 1 if bent:
                    bent[at] = rng.randrange(256)
                case 2 if bent:
                    del bent[at]
                case 3 if bent:
                    del bent[at:]
                case _:
                    bent[at:at] = rng.choice(
                        (bytes((rng.randrange(256),)), write_varint(rng.randrange(1 << 53)))
                    )
        return bytes(bent)


KINDS: dict[str, str] = {
    "edit": "_edit",
    "sync step 2": "_edit",
    "sync step 1": "_vector",
    "awareness": "_cursor",
    "ask awareness": "_ask",
    "say": "_say",
    "draw": "_draw",
    "choose language": "_choose",
    "move": "_move",
    "consent": "_consent",
    "resume": "_resume",
    "offer": "_offer",
    "microphone": "_microphone",
    "a server's": "_servers",
    "unknown": "_unknown",
    "text": "_words",
    "noise": "_noise",
    "no websocket": "_no_websocket",
}
"""Every kind of message, and what makes it."""
NO_MESSAGES = ("a server's", "unknown", "text", "noise", "no websocket")
"""Kinds of which every single one ends its connection."""
