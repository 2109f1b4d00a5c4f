"""What may enter a document: ordinary editing passes, crafted updates do not, and nothing is half done."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from pycrdt import Array, Doc, Map, Text

from rooms.errors import BadFrame, CodeTooLong, FrameTooLarge, RoomEnded
from rooms.live.document import Document
from rooms.live.gate import MAX_CLIENT_IDS, MAX_GARBAGE_LENGTH, Gate
from rooms.roles import Role
from rooms.wire import MAX_FRAME_BYTES, write_varint

CANDIDATE, INTERVIEWER = Role.CANDIDATE, Role.INTERVIEWER


class Writer:
    """A Yjs client that gives its updates one by one."""

    def __init__(self, client_id: int) -> None:
        self.doc: Doc[Text] = Doc(client_id=client_id)
        self.text = self.doc.get("code", type=Text)
        self._made: list[bytes] = []
        self._subscription = self.doc.observe(lambda event: self._made.append(event.update))

    def do(self, change: Callable[[], object]) -> bytes:
        self._made.clear()
        with self.doc.transaction():
            change()
        return self._made[-1]

    def insert(self, position: int, text: str) -> bytes:
        return self.do(lambda: self.text.insert(position, text))

    def delete(self, start: int, end: int) -> bytes:
        return self.do(lambda: self.text.__delitem__(slice(start, end)))


def number(*numbers: int) -> bytes:
    return b"".join(map(write_varint, numbers))


def text(word: str) -> bytes:
    return number(len(word.encode())) + word.encode()


def update(*structs: bytes, client: int = 7, clock: int = 0, deletions: bytes = b"\x00") -> bytes:
    return number(1, len(structs), client, clock) + b"".join(structs) + deletions


IN_ROOT = b"\x01" + text("code")
HELLO = b"\x04" + IN_ROOT + text("hello")


def document_with(*updates: tuple[Role, bytes]) -> Document:
    document = Document()
    for role, each in updates:
        document.take(role, each)
    return document


# --- what a text editor does --------------------------------------------------------------------------


def test_ordinary_editing_passes_byte_for_byte() -> None:
    writer, document = Writer(1), Document()
    edits = [
        writer.insert(0, "def f():\n    pass\n"),
        writer.insert(3, " 🙂 é"),
        writer.delete(0, 3),
        writer.insert(0, "async "),
        writer.do(lambda: (writer.text.insert(2, "x"), writer.text.insert(0, "y"))),
    ]
    for edit in edits:
        assert document.take(CANDIDATE, edit) == edit
    assert document.text == str(writer.text)
    assert document.vector == writer.doc.get_state()
    assert document.owners == {1: CANDIDATE}


def test_what_is_known_already_is_nothing_new() -> None:
    writer = Writer(1)
    first, second = writer.insert(0, "hello"), writer.delete(1, 3)
    document = document_with((CANDIDATE, first), (CANDIDATE, second))
    for again in (first, second, writer.doc.get_update(), b"\x00\x00"):
        assert document.take(CANDIDATE, again) is None
    assert document.text == "hlo"


def test_of_a_partly_known_update_only_the_news_is_kept() -> None:
    writer = Writer(1)
    document = document_with((CANDIDATE, writer.insert(0, "hello")))
    writer.insert(5, " world")
    writer.delete(0, 1)
    news = document.take(CANDIDATE, writer.doc.get_update())
    assert news is not None
    assert document.text == "ello world"
    other = document_with((CANDIDATE, Writer(1).insert(0, "hello")), (CANDIDATE, news))
    assert other.text == "ello world"


def test_either_seat_may_delete_the_others_text() -> None:
    writer, other = Writer(1), Writer(2)
    first = writer.insert(0, "hello")
    other.doc.apply_update(first)
    document = document_with((CANDIDATE, first))
    assert document.take(INTERVIEWER, other.delete(0, 5))
    assert document.text == ""


def test_a_pasted_run_of_other_alphabets_counts_in_utf16() -> None:
    writer, document = Writer(1), Document()
    document.take(CANDIDATE, writer.insert(0, "🙂你好é"))
    document.take(CANDIDATE, writer.insert(4, "x"))
    assert document.text == "🙂x你好é"


def test_formats_of_plain_values_pass() -> None:
    writer = Writer(1)
    document = document_with((CANDIDATE, writer.insert(0, "hello")))
    assert document.take(CANDIDATE, writer.do(lambda: writer.text.format(0, 3, {"bold": True})))
    assert document.text == "hello"


# --- what nobody's editor does ------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    """An item of kind "any" with arrays in arrays: what overflows the parser's stack."""
    return update(b"\x08" + IN_ROOT + b"\x01" + b"\x75\x01" * depth + b"\x7e")


def deep_format() -> bytes:
    value = "[" * 20_000 + "]" * 20_000
    return update(b"\x06" + IN_ROOT + text("k") + text(value))


CRAFTED: dict[str, bytes] = {
    "nothing": b"",
    "half an update": update(HELLO)[:-3],
    "trailing bytes": update(HELLO) + b"\x00",
    "a predecessor is missing": update(HELLO, clock=5),
    "an origin nobody wrote": update(b"\x84" + number(9, 0) + text("x")),
    "an origin of its own future": update(b"\x84" + number(7, 3) + text("x")),
    "a right origin nobody wrote": update(b"\x44" + number(9, 0) + text("x")),
    "another root": update(b"\x04" + b"\x01" + text("notes") + text("x")),
    "inside another item": update(b"\x04" + b"\x00" + number(7, 0) + text("x")),
    "under a key": update(b"\x24" + IN_ROOT + text("key") + text("x")),
    "deeply nested values": nested(20_000),
    "a shallow value": nested(1),
    "a deeply nested format": deep_format(),
    "a format of an object": update(b"\x06" + IN_ROOT + text("k") + text('{"a":1}')),
    "a format that is no JSON": update(b"\x06" + IN_ROOT + text("k") + text("tru")),
    "a format that is no number": update(b"\x06" + IN_ROOT + text("k") + text("NaN")),
    "an embed": update(b"\x05" + IN_ROOT + text("{}")),
    "a subdocument": update(b"\x09" + IN_ROOT + text("guid") + b"\x76\x00"),
    "a type": update(b"\x07" + IN_ROOT + b"\x00"),
    "binary": update(b"\x03" + IN_ROOT + text("x")),
    "a skip": update(b"\x0a" + number(5)),
    "an empty string": update(b"\x04" + IN_ROOT + text("")),
    "half a character": update(b"\x04" + IN_ROOT + b"\x02\xed\xa0"),
    "a clientID beyond 2**53": update(HELLO, client=(1 << 53) + 42),
    "a number of eleven bytes": b"\x01" + b"\xff" * 10 + b"\x01",
    "a number written long": b"\x81\x00" + update(HELLO)[1:],
    "a client twice": number(2, 1, 7, 0) + HELLO + number(1, 7, 0) + HELLO + b"\x00",
    "no structs of a client": number(1, 0, 7, 0) + b"\x00",
    "endless garbage": update(b"\x00" + number(1 << 31)),
    "garbage a bit too long": update(b"\x00" + number(MAX_GARBAGE_LENGTH + 1)),
    "garbage of no length": update(b"\x00\x00"),
    "garbage with flags": update(b"\x80" + number(7, 0, 1)),
    "deleting what nobody wrote": update(HELLO, deletions=number(1, 9, 1, 0, 1)),
    "deleting beyond the end": update(HELLO, deletions=number(1, 7, 1, 3, 3)),
    "deleting nothing": update(HELLO, deletions=number(1, 7, 1, 0, 0)),
    "deleting in a client twice": update(HELLO, deletions=number(2, 7, 1, 0, 1, 7, 1, 1, 1)),
    "too many clients promised": number(1 << 40) + b"\x00",
    "structs of two that wait for each other": b"".join((
        number(2),
        number(1, 7, 0) + b"\x84" + number(8, 0) + text("a"),
        number(1, 8, 0) + b"\x84" + number(7, 0) + text("b"),
        b"\x00",
    )),
}  # fmt: skip


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_updates_are_refused_and_change_nothing(name: str) -> None:
    writer = Writer(1)
    document = document_with((CANDIDATE, writer.insert(0, "untouched")))
    before = document.vector
    with pytest.raises(BadFrame):
        document.take(INTERVIEWER, CRAFTED[name])
    assert (document.text, document.vector) == ("untouched", before)
    assert document.take(CANDIDATE, writer.insert(0, "still ")) is not None
    assert document.text == "still untouched"


def test_another_seats_client_id_is_refused() -> None:
    writer = Writer(1)
    document = document_with((CANDIDATE, writer.insert(0, "mine")))
    forged = writer.insert(4, " and a lie")
    with pytest.raises(BadFrame):
        document.take(INTERVIEWER, forged)
    assert document.text == "mine"
    assert document.take(CANDIDATE, forged) == forged


def test_repeating_what_another_seat_wrote_is_harmless() -> None:
    """A client that sends its whole document on return repeats the other side's structs in it."""
    writer, other = Writer(1), Writer(2)
    first = writer.insert(0, "hello")
    other.doc.apply_update(first)
    document = document_with((CANDIDATE, first))
    other.insert(5, "!")
    assert document.take(INTERVIEWER, other.doc.get_update()) is not None
    assert document.text == "hello!"
    assert document.owners == {1: CANDIDATE, 2: INTERVIEWER}


def test_an_update_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(FrameTooLarge):
        Document().take(CANDIDATE, b"\x01" + b"\xff" * MAX_FRAME_BYTES)


def test_a_seat_has_a_bounded_number_of_client_ids() -> None:
    gate = Gate(owners={client: CANDIDATE for client in range(100, 100 + MAX_CLIENT_IDS)})
    with pytest.raises(BadFrame):
        gate.check(CANDIDATE, update(HELLO))
    gate.check(INTERVIEWER, update(HELLO))


@pytest.mark.parametrize("kind", [Array, Map])
def test_documents_of_other_types_are_refused(kind: type) -> None:
    doc: Doc[Array[str] | Map[str]] = Doc(client_id=3)
    root = doc.get("code", type=kind)
    if isinstance(root, Array):
        root.append({"a": [1]})
    else:
        root["a"] = "b"
    with pytest.raises(BadFrame):
        Document().take(CANDIDATE, doc.get_update())


# --- whatever comes -----------------------------------------------------------------------------------


def session_of(seed: int, edits: int) -> list[tuple[Role, bytes]]:
    """Two writers who see each other's edits at once."""
    rng = random.Random(seed)
    writers_ = {CANDIDATE: Writer(11), INTERVIEWER: Writer(22)}
    made: list[tuple[Role, bytes]] = []
    for _ in range(edits):
        role = rng.choice((CANDIDATE, INTERVIEWER))
        writer = writers_[role]
        length = len(writer.text)
        at = rng.randint(0, length)
        if length > 5 and rng.random() < 0.3:
            each = writer.delete(
                min(at, length - 2), min(length, at + rng.randint(1, 3)) if at < length - 2 else length
            )
        else:
            each = writer.insert(at, rng.choice(("x", "ab", "return ", "\n    ")))
        made.append((role, each))
        writers_[INTERVIEWER if role is CANDIDATE else CANDIDATE].doc.apply_update(each)
    return made


def test_mutated_updates_never_escape_and_never_corrupt() -> None:
    """Bytes of real edits, bent at random: taken or refused, and the document is the same one afterwards."""
    rng = random.Random(20_261)
    edits = session_of(1, 300)
    document = document_with(*edits[:200])
    refused = 0
    for turn in range(6_000):
        role, original = edits[200 + turn % 100]
        bent = bytearray(original)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(bent))
            choice = rng.random()
            if choice < 0.6:
                bent[at] = rng.randrange(256)
            elif choice < 0.8 and len(bent) > 2:
                del bent[at]
            else:
                bent.insert(at, rng.randrange(256))
        before = document.text, document.vector
        try:
            taken = document.take(role, bytes(bent))
        except (BadFrame, FrameTooLarge):
            refused += 1
            assert (document.text, document.vector) == before
            continue
        if taken is not None and turn % 50 == 0:
            # What the document took is what any Yjs client makes of the same bytes.
            copy: Doc[Text] = Doc()
            copy.get("code", type=Text)
            copy.apply_update(document.since(b"\x00"))
            assert str(copy["code"]) == document.text
    assert refused > 3_000


def test_a_panic_inside_the_library_leaves_the_document_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Rust panic arrives as a BaseException and may have applied half of the update."""

    class Panic(BaseException):
        pass

    writer = Writer(1)
    document = document_with((CANDIDATE, writer.insert(0, "hello")), (CANDIDATE, writer.delete(0, 1)))
    real = Doc.apply_update
    bad = writer.insert(0, "hälf")

    def half_then_panic(self: Doc[Text], update: bytes) -> None:
        real(self, update)
        if update == bad:
            raise Panic

    monkeypatch.setattr(Doc, "apply_update", half_then_panic)
    with pytest.raises(BadFrame):
        document.take(CANDIDATE, bad)
    monkeypatch.undo()
    assert document.text == "ello"
    assert document.take(CANDIDATE, bad) == bad
    assert document.text == "hälfello"


def test_keystrokes_are_applied_together_and_a_bad_one_costs_itself_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """None is known that passes and cannot be applied. Should there be one, the room goes on, here and
    wherever the log is read."""

    class Panic(BaseException):
        pass

    writers_ = [Writer(1), Writer(2)]
    log = [(CANDIDATE, writers_[0].insert(0, "a")), (INTERVIEWER, writers_[1].insert(0, "b"))]
    log += [(CANDIDATE, writers_[0].insert(1, "c")), (INTERVIEWER, bad := writers_[1].insert(1, "d"))]
    log += [(CANDIDATE, writers_[0].insert(2, "e"))]
    document, again = document_with(*log[:2]), Document()
    real = Doc.apply_update

    def panic(self: Doc[Text], update: bytes) -> None:
        if update == bad:
            raise Panic
        real(self, update)

    monkeypatch.setattr(Doc, "apply_update", panic)
    for role, each in log[2:]:
        assert document.take(role, each) == each
    for role, each in log:
        again.replay(role, each)
    for each in (document, again):
        assert sorted(each.text) == ["a", "b", "c", "e"]
        assert each.text in ("aceb", "bace")
    assert "could not be applied" in caplog.text


def test_what_stops_the_program_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Doc[Text], update: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Doc, "apply_update", stop)
    with pytest.raises(KeyboardInterrupt):
        Document().take(CANDIDATE, Writer(1).insert(0, "x"))  # the first of a clientID is parsed in full


def test_a_document_rebuilt_after_many_edits_is_the_same() -> None:
    edits = session_of(2, 3_000)
    document = document_with(*edits)
    text_, vector = document.text, document.vector
    document._rebuild()
    assert (document.text, document.vector) == (text_, vector)


def test_the_log_tells_who_wrote_how_far() -> None:
    edits = session_of(3, 200)
    live, again = Document(), Document()
    for role, each in edits:
        news = live.take(role, each)
        assert news is not None
        again.replay(role, news)
    assert (again.text, again.vector, again.owners) == (live.text, live.vector, live.owners)
    assert again.halves == live.halves


@pytest.mark.parametrize("vector", [b"", b"\x01", b"\x01\x07", b"\xff" * 40, b"\x00\x00"])
def test_a_bad_state_vector_is_refused(vector: bytes) -> None:
    with pytest.raises(BadFrame):
        Document().since(vector)


def test_refusals_are_of_one_tree() -> None:
    assert {BadFrame.close_code, FrameTooLarge.close_code, RoomEnded.close_code} == {4400, 1009, 4410}


# --- halves of a character ----------------------------------------------------------------------------

FACE = update(b"\x04" + IN_ROOT + text("a🙂b"))  # clocks: a 0, 🙂 1 and 2, b 3


@pytest.mark.parametrize(
    "split",
    [
        pytest.param(number(0, 1, 7, 1, 1, 1), id="deletes the first half"),
        pytest.param(number(0, 1, 7, 1, 2, 1), id="deletes the second half"),
        pytest.param(number(0, 1, 7, 1, 2, 2), id="deletes from the middle on"),
        pytest.param(update(b"\xc4" + number(7, 1, 7, 2) + text("X"), client=8), id="inserts between"),
        pytest.param(
            update(b"\x84" + number(7, 1) + text("X"), client=8), id="inserts behind the first half"
        ),
        pytest.param(update(b"\x44" + number(7, 2) + text("X"), client=8), id="inserts before the second"),
        pytest.param(
            update(b"\x04" + IN_ROOT + text("🙂"), b"\x84" + number(8, 0) + text("x"), client=8),
            id="splits what it brings itself",
        ),
    ],
)
@pytest.mark.parametrize("is_restored", [False, True], ids=["live", "from a snapshot"])
def test_no_edit_goes_between_the_halves_of_a_character(split: bytes, is_restored: bool) -> None:
    """Yjs counts UTF-16 units; yrs and Yjs make different texts of a split pair, for ever."""
    document = document_with((CANDIDATE, FACE))
    if is_restored:
        again = Document()
        again.restore(document.state, document.owners, document.halves)
        document = again
    with pytest.raises(BadFrame):
        document.take(INTERVIEWER, split)
    assert document.text == "a🙂b"
    assert document.take(INTERVIEWER, number(0, 1, 7, 1, 1, 2)), "the whole of it may go"
    assert document.text == "ab"


def test_a_code_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.live.document.MAX_BYTES", 10_000)
    writer, document = Writer(1), Document()
    for _ in range(20):
        document.take(CANDIDATE, writer.insert(0, "x" * 700))
        if len(document.state) > 10_000:
            break
    with pytest.raises(CodeTooLong):
        document.take(CANDIDATE, writer.insert(0, "one more"))
    assert len(document.text) % 700 == 0
    shorter = Writer(2)
    shorter.doc.apply_update(document.state)
    assert document.take(CANDIDATE, shorter.delete(0, 700 * 10)), "it can be made shorter"
    assert document.take(CANDIDATE, shorter.insert(0, "and go on"))


# --- the ordinary keystroke, read quickly -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_what_is_read_quickly_would_pass_the_full_parse_alike(seed: int) -> None:
    rng = random.Random(seed)
    gate, quick = Gate(), 0
    for role, each in session_of(seed, 300):
        for bent in [bytes(_bent(bytearray(each), rng)) for _ in range(40)] + [each]:
            for who in (CANDIDATE, INTERVIEWER):
                passed = gate._keystroke(who, bent)
                if passed is not None:
                    assert gate._parse(who, bent) == passed
                    quick += bent is each
        gate.admit(role, gate.check(role, each))
    assert quick > 250, "most of what people type"


def _bent(update: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(update))
        match rng.randrange(3):
            case 0:
                update[at] = rng.choice((0, 1, 2, 7, 11, 22, 0x7F, 0x80, 0x84, 0xC4, 0xFF, update[at] ^ 1))
            case 1:
                del update[at]
            case _:
                update.insert(at, rng.randrange(256))
        if not update:
            break
    return update


def test_what_is_known_teaches_nothing_about_anothers_text() -> None:
    """A run that stands already, told wrongly beside own text, would make the victim's next key a bad one."""
    victim = Writer(50)
    document = document_with((CANDIDATE, victim.insert(0, "abcdef")))
    lie = number(2, 1, 50, 0) + b"\x04" + IN_ROOT + text("🙂🙂🙂") + number(1, 9, 0) + HELLO + b"\x00"
    document.take(INTERVIEWER, lie)
    assert document.halves.get(50) is None
    assert document.take(CANDIDATE, victim.insert(2, "x")), "the victim types on"


def test_a_run_sent_again_does_not_end_within_a_character() -> None:
    document = document_with((CANDIDATE, update(b"\x04" + IN_ROOT + text("abc"))))
    with pytest.raises(BadFrame):
        document.take(CANDIDATE, update(b"\x84" + number(7, 1) + text("🙂x"), clock=2))
