"""The socket's frames: both languages read the files of tests/golden/ alike.

A golden frame is a .bin beside a .json that says what is in it: {"from": "client" | "server", "message": the
class, "fields": its fields, bytes as {"hex": …}}, or {"from": …, "malformed": why} for what must be refused.
`python -m tests.rooms.test_wire` writes them again after a deliberate change of the protocol.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms import wire

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

HELLO = bytes.fromhex("010107000401 04636f6465 0568656c6c6f 00".replace(" ", ""))
"""Client 7 writes "hello" at the beginning of the root "code"."""
ELEMENT = {"id": "box-1", "type": "rectangle", "x": 1.5, "y": -20, "version": 3, "isDeleted": False}
SEATS = [
    {"seat": "candidate", "mask": "Quiet Heron", "here": True, "recording": False, "microphone": "muted"},
    {"seat": "interviewer", "mask": "Amber Fox", "here": False, "recording": True, "microphone": "off"},
]
LINE = {"seq": 3, "at_ms": 2_500, "seat": "candidate", "key": "k1", "text": "Hi — 你好 🙂"}

FROM_CLIENT: dict[str, Any] = {
    "sync_step_1": wire.SyncStep1(b"\x01\x07\x05"),
    "sync_step_2": wire.SyncStep2(HELLO),
    "edit": wire.Edit(HELLO),
    "edit_long": wire.Edit(HELLO[:-7] + b"\xc8\x01" + b"x" * 200 + b"\x00"),
    "awareness": wire.Awareness(b"\x01\x07\x01\x04null"),
    "ask_awareness": wire.AskAwareness(),
    "say": wire.Say("k1", "Hi — 你好 🙂"),
    "draw": wire.Draw([ELEMENT]),
    "choose_language": wire.ChooseLanguage("rust", "k2"),
    "move": wire.Move("live"),
    "consent": wire.Consent(True, "k3"),
    "resume": wire.Resume(41),
    "offer": wire.Offer("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"),
    "microphone": wire.Microphone("muted"),
}
FROM_SERVER: dict[str, Any] = {
    "sync_step_1": wire.SyncStep1(b"\x00"),
    "sync_step_2": wire.SyncStep2(b"\x00\x00"),
    "edit": wire.Edit(HELLO),
    "awareness": wire.Awareness(b"\x01\x07\x80\x01\x04null"),
    "welcome_empty": wire.Welcome("candidate", "Two sums", "lobby", "python", 2, 120, None, None, SEATS),
    "welcome": wire.Welcome(
        "interviewer", "Two sums", "live", "go", 300, 61_000, 60_000, 3_660_000, SEATS, [LINE], [ELEMENT]
    ),
    "said": wire.Said(**LINE),
    "drawn": wire.Drawn(9, [ELEMENT]),
    "language_chosen": wire.LanguageChosen(10, 5_000, "candidate", "sql"),
    "moved": wire.Moved(11, 60_000, "room", "wrap_up", 0, 3_600_000),
    "moved_to_lobby": wire.Moved(1, 0, "room", "lobby", None, None),
    "present": wire.Present(SEATS),
    "committed": wire.Committed(127, 128, 16_384),
    "committed_far": wire.Committed(2**32, 2**53 - 1, 0),
    "beat": wire.Beat(128, 62_000),
    "refused": wire.Refused("not_now", "That is not possible at this moment of the interview."),
    "refused_line": wire.Refused("bad_line", "That line could not be sent. It needs some text.", "k1"),
    "answer": wire.Answer("v=0\r\n"),
}
MALFORMED: dict[str, tuple[str, bytes, str]] = {
    "client_empty": ("client", b"", "no kind"),
    "client_unknown_kind": ("client", b"\x7f{}", "no such kind"),
    "client_of_the_server": ("client", wire.Said(**LINE).encode(), "only a server says that"),
    "client_length_short": ("client", b"\x00\x02\x05\x01\x01\x07", "a length beyond the end"),
    "client_trailing": ("client", wire.Edit(HELLO).encode() + b"\x00", "bytes behind the frame"),
    "client_no_step": ("client", b"\x00\x03\x00", "no such sync step"),
    "client_not_json": ("client", b"\x10{key", "no JSON"),
    "client_wrong_type": ("client", b'\x10{"key":"k","text":1}', "a number for a text"),
    "client_true_for_number": ("client", b'\x15{"after_seq":true}', "a truth value for a number"),
    "client_unknown_field": ("client", b'\x10{"key":"k","text":"t","seat":"interviewer"}', "says who it is"),
    "client_missing_field": ("client", b'\x10{"key":"k"}', "no text"),
    "client_endless_number": ("client", b"\x00\x02" + b"\xff" * 12, "a number without end"),
    "server_empty": ("server", b"", "no kind"),
    "server_length_short": ("server", b"\x00\x02\x05\x01\x01\x07", "a length beyond the end"),
    "server_committed_short": ("server", b"\x36\x01\x02", "a number is missing"),
    "server_committed_trailing": ("server", b"\x36\x01\x02\x03\x04", "bytes behind the frame"),
    "server_not_json": ("server", b"\x31{", "no JSON"),
}


def described(side: str, message: Any) -> dict[str, Any]:
    fields = {item.name: getattr(message, item.name) for item in dataclasses.fields(message)}
    shown = {
        name: {"hex": value.hex()} if isinstance(value, bytes) else value for name, value in fields.items()
    }
    return {"from": side, "message": type(message).__name__, "fields": shown}


def decode(side: str, frame: bytes) -> Any:
    return wire.decode_from_client(frame) if side == "client" else wire.decode_from_server(frame)


GOOD = [("client", name, each) for name, each in FROM_CLIENT.items()] + [
    ("server", name, each) for name, each in FROM_SERVER.items()
]


@pytest.mark.parametrize(("side", "name", "message"), GOOD, ids=[f"{side}-{name}" for side, name, _ in GOOD])
def test_golden_frames_are_written_and_read_as_they_always_were(side: str, name: str, message: Any) -> None:
    stem = GOLDEN / f"{side}_{name}"
    frame = stem.with_suffix(".bin").read_bytes()
    assert message.encode() == frame
    assert decode(side, frame) == message
    assert json.loads(stem.with_suffix(".json").read_text()) == described(side, message)


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_frames_are_refused(name: str) -> None:
    side, frame, _ = MALFORMED[name]
    assert (GOLDEN / f"malformed_{name}.bin").read_bytes() == frame
    with pytest.raises(wire.Malformed):
        decode(side, frame)


def test_every_message_has_a_golden_frame_and_every_file_is_read() -> None:
    known = {*wire.FROM_CLIENT, *wire.FROM_SERVER, wire.Committed, wire.Edit, wire.SyncStep1, wire.SyncStep2}
    known |= {wire.Awareness, wire.AskAwareness}
    assert {type(message) for _, _, message in GOOD} == known
    names = {f"{side}_{name}" for side, name, _ in GOOD} | {f"malformed_{name}" for name in MALFORMED}
    assert {path.stem for path in GOLDEN.iterdir() if path.suffix in (".bin", ".json")} == names


@given(st.integers(0, 2**53 - 1))
def test_numbers_come_back(number: int) -> None:
    written = wire.write_varint(number)
    assert wire.read_varint(written, 0) == (number, len(written))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(frame: bytes) -> None:
    """Nothing else is ever raised: what a socket brings cannot surprise the consumer."""
    for side in ("client", "server"):
        try:
            message = decode(side, frame)
        except wire.Malformed:
            continue
        assert decode(side, message.encode()) == message


@given(st.sampled_from([each.encode() for each in FROM_CLIENT.values()]), st.data())
def test_bent_frames_are_a_message_or_malformed(frame: bytes, data: st.DataObject) -> None:
    bent = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 4))):
        bent[data.draw(st.integers(0, len(bent) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.Malformed):
        wire.decode_from_client(bytes(bent))


def _write() -> None:
    for old in GOLDEN.glob("*.*"):
        old.unlink()
    for side, name, message in GOOD:
        (GOLDEN / f"{side}_{name}.bin").write_bytes(message.encode())
        text = json.dumps(described(side, message), ensure_ascii=False, indent=2)
        (GOLDEN / f"{side}_{name}.json").write_text(text + "\n")
    for name, (side, frame, why) in MALFORMED.items():
        (GOLDEN / f"malformed_{name}.bin").write_bytes(frame)
        text = json.dumps({"from": side, "malformed": why}, indent=2)
        (GOLDEN / f"malformed_{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    _write()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"key":"\\ud83d","text":"hi"}', id="half a pair, escaped"),
        pytest.param(b'{"key":"\xed\xa0\x80","text":"hi"}', id="half a pair, raw"),
        pytest.param('{"key":"k","text":"hi"}'.encode("utf-16"), id="UTF-16"),
    ],
)
def test_what_no_utf8_can_hold_is_no_message(body: bytes) -> None:
    with pytest.raises(wire.Malformed):
        wire.decode_from_client(bytes((wire.Say.kind,)) + body)
