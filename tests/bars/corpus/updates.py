"""Crafted updates, built byte by byte so that what is wrong with each stands here to be read.

The format is that of https://github.com/yjs/yjs/blob/v13.6.27/src/utils/encoding.js, version 1; values inside
that of https://github.com/dmonad/lib0/blob/v0.2.114/encoding.js.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rooms.wire import write_varint

OWN = 7
"""The clientID under which the attacker writes; its text before the attack is OWN_TEXT."""
OTHER = 8
"""Another clientID that nobody used before."""
OWN_TEXT = "ab🙂é"


@dataclass(frozen=True, slots=True)
class Scene:
    """What an attacker knows: the bystander's clientID, and how far it has written."""

    victim: int
    victim_clock: int


# --- updates, byte by byte ----------------------------------------------------------------------------


def number(*numbers: int) -> bytes:
    """Each as a varint, as long as it needs to be."""
    return b"".join(map(write_varint, numbers))


def string(word: str | bytes) -> bytes:
    """With its length in bytes before it."""
    raw = word.encode() if isinstance(word, str) else word
    return number(len(raw)) + raw


def update(*structs: bytes, client: int = OTHER, clock: int = 0, deletions: bytes = b"\x00") -> bytes:
    """Structs of one clientID from a clock on, and what is deleted."""
    return number(1, len(structs), client, clock) + b"".join(structs) + deletions


IN_ROOT = b"\x01" + string("code")
GARBAGE, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, SUBDOCUMENT, SKIP, MOVE = range(12)
ORIGIN, RIGHT_ORIGIN, KEY = 0x80, 0x40, 0x20


def item(content: int, body: bytes, *, parent: bytes = IN_ROOT) -> bytes:
    """A struct at the beginning of its parent."""
    return bytes((content,)) + parent + body


def behind(client: int, clock: int, word: str = "x") -> bytes:
    """A string to the right of this character."""
    return bytes((ORIGIN | STRING,)) + number(client, clock) + string(word)


def before(client: int, clock: int, word: str = "x") -> bytes:
    """A string to the left of this character."""
    return bytes((RIGHT_ORIGIN | STRING,)) + number(client, clock) + string(word)


def between(left: tuple[int, int], right: tuple[int, int], word: str = "x") -> bytes:
    return bytes((ORIGIN | RIGHT_ORIGIN | STRING,)) + number(*left) + number(*right) + string(word)


HELLO = item(STRING, string("hello"))


def any_array(depth: int) -> bytes:
    """A lib0 "any": arrays of one element in each other."""
    return b"\x75\x01" * depth + b"\x7e"


def any_object(depth: int) -> bytes:
    """A lib0 "any": objects of one key in each other."""
    return b"\x76\x01\x00" * depth + b"\x7e"


def deletion(client: int, clock: int, length: int) -> bytes:
    """One deleted run, as the end of an update."""
    return number(1, client, 1, clock, length)


def only_deletes(client: int, clock: int, length: int) -> bytes:
    return b"\x00" + deletion(client, clock, length)


def types_in_types(depth: int) -> bytes:
    """Each an array inside the one before it: what a browser walks down one call at a time."""
    first = item(TYPE, b"\x00")
    rest = (item(TYPE, b"\x00", parent=b"\x00" + number(OTHER, at)) for at in range(depth - 1))
    return update(first, *rest)


# --- the gate -----------------------------------------------------------------------------------------


def deadly_updates() -> Iterator[tuple[str, bytes]]:
    """What overflows a stack, in a server or in every browser that loads it."""
    for depth in (32_700, 5_000, 200, 1):
        yield f"arrays in arrays, {depth} deep", update(item(ANY, b"\x01" + any_array(depth)))
    for depth in (21_800, 1):
        yield f"objects in objects, {depth} deep", update(item(ANY, b"\x01" + any_object(depth)))
    for depth in (20_000, 1):
        nested = "[" * depth + "]" * depth
        yield f"an embed, {depth} deep", update(item(EMBED, string(nested)))
        yield f"a format, {depth} deep", update(item(FORMAT, string("k") + string(nested)))
        yield f"old JSON, {depth} deep", update(item(JSON, b"\x01" + string(nested)))
    yield "types in types, 5,000 deep", types_in_types(5_000)


def foreign_updates(scene: Scene) -> Iterator[tuple[str, bytes]]:
    """What is written, or said to be deleted, in somebody else's name."""
    client, clock = scene.victim, scene.victim_clock
    yield "typing on as another", update(behind(client, clock - 1), client=client, clock=clock)
    yield "typing at the start as another", update(HELLO, client=client, clock=clock)
    yield "another's past with a longer end", update(item(STRING, string("x" * (clock + 5))), client=client)
    yield "another's future, with a gap", update(HELLO, client=client, clock=clock + 5)
    yield "another's clock used up by garbage", update(b"\x00" + number(1_000), client=client, clock=clock)
    yield (
        "another's clock used up by deletions",
        update(item(DELETED, number(9)), client=client, clock=clock),
    )
    yield "deleting what another has not written yet", only_deletes(client, 0, clock + 1)
    yield "deleting all that another may ever write", only_deletes(client, 0, (1 << 53) - 1)
    yield "typing behind what another has not written yet", update(behind(client, clock))
    yield "typing before what another has not written yet", update(before(client, clock + 3))
    both = number(1, OTHER, 0) + HELLO
    yield "own words beside another's", number(2, 1, client, clock) + HELLO + both + b"\x00"


def waiting_updates() -> Iterator[tuple[str, bytes]]:
    """What would be kept for ever, waiting for something."""
    yield "a gap", update(HELLO, clock=5)
    yield "a gap behind own words", update(HELLO, client=OWN, clock=1_000)
    yield "an origin that nobody wrote", update(behind(99, 0))
    yield "a right origin that nobody wrote", update(before(99, 0))
    yield "an origin in the future of its own", update(behind(OTHER, 3))
    yield "itself as its origin", update(behind(OTHER, 0))
    yield "itself as its right origin", update(before(OTHER, 0))
    for many in (2, 3, 40):
        ring = [
            number(1, 1_000 + at, 0) + behind(1_000 + (at + 1) % many, 0) for at in range(many)
        ]  # fmt: skip
        yield f"{many} that wait for each other in a circle", number(many) + b"".join(ring) + b"\x00"
    yield (
        "two that wait for each other to the right",
        number(2, 1, 21, 0) + before(22, 0) + number(1, 22, 0) + before(21, 0) + b"\x00",
    )
    yield "a skip", update(bytes((SKIP,)) + number(5))
    yield "garbage", update(b"\x00" + number(5))
    yield "a skip, then words", update(bytes((SKIP,)) + number(5), HELLO)


def strange_contents() -> Iterator[tuple[str, bytes]]:
    """Everything that is not a text editor's."""
    yield "another root", update(item(STRING, string("x"), parent=b"\x01" + string("notes")))
    yield "a root without a name", update(item(STRING, string("x"), parent=b"\x01\x00"))
    yield (
        "a root that pollutes prototypes",
        update(item(STRING, string("x"), parent=b"\x01" + string("__proto__"))),
    )
    yield "inside of an item", update(item(STRING, string("x"), parent=b"\x00" + number(OWN, 0)))
    yield "a parent of no kind", update(item(STRING, string("x"), parent=b"\x02" + string("code")))
    yield "under a key", update(bytes((KEY | STRING,)) + IN_ROOT + string("key") + string("x"))
    yield (
        "under a key, with an origin",
        update(bytes((KEY | ORIGIN | STRING,)) + number(OWN, 0) + string("x")),
    )
    yield "a subdocument", update(item(SUBDOCUMENT, string("guid") + any_object(0)))
    yield "an embed of an image", update(item(EMBED, string('{"image":"https://example.org/pixel.png"}')))
    yield "binary", update(item(BINARY, string(b"\x00\xff")))
    yield "old JSON", update(item(JSON, number(2) + string('"a"') + string("undefined")))
    yield "any", update(item(ANY, b"\x02\x7e\x79"))
    for kind, name in enumerate(("array", "map", "text", "element", "fragment", "hook", "xml text", "link")):
        body = number(kind) + (string("p") if name in ("element", "hook") else b"")
        yield f"a type: {name}", update(item(TYPE, body))
    yield "a type of no kind", update(item(TYPE, number(100)))
    yield "a move", update(item(MOVE, number(0, OWN, 0, OWN, 1)))
    for content in range(12, 32):
        yield f"content of no kind, {content}", update(item(content, string("x")))
    yield "an empty string", update(item(STRING, string("")))
    yield "a format of an object", update(item(FORMAT, string("k") + string('{"a":1}')))
    yield "a format of a list", update(item(FORMAT, string("k") + string(" [1]")))
    yield "a format that is no JSON", update(item(FORMAT, string("k") + string("tru")))
    yield "a format that is no number", update(item(FORMAT, string("k") + string("NaN")))
    yield "a format of endless digits", update(item(FORMAT, string("k") + string("9" * 5_000)))
    yield "a format without a name", update(item(FORMAT, string("") + string("1")))
    yield "a format of a long name", update(item(FORMAT, string("k" * 1_000) + string("1")))


def large_numbers() -> Iterator[tuple[str, bytes]]:
    """What reads as another number in another language, or asks for all the memory there is."""
    for client in (1 << 53, (1 << 53) + 42, (1 << 63) + 1, (1 << 64) - 1):
        yield f"clientID {client}", update(HELLO, client=client)
        yield f"an origin of clientID {client}", update(behind(client, 0))
        yield f"deleting of clientID {client}", only_deletes(client, 0, 1)
    for clock in (1 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) - 1):
        yield f"own clock {clock}", update(HELLO, client=OWN, clock=clock)
        yield f"an origin at {clock}", update(behind(OWN, clock))
        yield f"deleting from {clock}", only_deletes(OWN, clock, 1)
    for length in (0, (1 << 20) + 1, 1 << 31, (1 << 32) - 1, (1 << 53) - 1):
        yield f"garbage of length {length}", update(b"\x00" + number(length))
        yield f"a deleted run of length {length}", update(item(DELETED, number(length)))
    many = (b"\x00" + number(1 << 20),) * 2_000
    yield "garbage until the clock is full", update(*many)
    yield "a deleted range of no length", only_deletes(OWN, 0, 0)
    yield "a deleted range beyond the end", only_deletes(OWN, 1, 1 << 40)
    for count in (1 << 20, 1 << 40, (1 << 53) - 1):
        yield f"{count} clients promised", number(count) + b"\x00"
        yield f"{count} structs promised", number(1, count, OTHER, 0) + HELLO + b"\x00"
        yield f"{count} deletions promised", number(0, count) + number(OWN, 1, 0, 1)
        yield f"{count} deleted ranges promised", number(0, 1, OWN, count, 0, 1)
        yield f"a string of {count} bytes promised", update(item(STRING, number(count) + b"x"))


def broken_bytes() -> Iterator[tuple[str, bytes]]:
    """What is no update at all, or one and a half."""
    whole = update(HELLO, behind(OTHER, 4, " world"), deletions=deletion(OTHER, 0, 2))
    for end in range(len(whole)):
        yield f"cut off after {end} bytes", whole[:end]
    yield "bytes after the end", whole + b"\x00"
    yield "two updates in one", whole + whole
    yield "an update of the second version", b"\x00\x00\x01\x07\x00\x00\x01\x05" + whole
    yield "the same client twice", number(2, 1, 9, 0) + HELLO + number(1, 9, 5) + HELLO + b"\x00"
    yield "a client without structs", number(1, 0, OTHER, 0) + b"\x00"
    yield "a deleted client without ranges", number(0, 1, OWN, 0)
    yield "deletions of a client twice", number(0, 2, OWN, 1, 0, 1, OWN, 1, 1, 1)
    yield "a number that has no end", b"\x01" + b"\xff" * 30
    yield "a number of eleven bytes", b"\x01" + b"\xff" * 10 + b"\x01"
    yield "a number written longer than needed", b"\x81\x00" + whole[1:]
    yield "a length written longer than needed", update(bytes((STRING,)) + IN_ROOT + b"\x81\x00x")
    yield "garbage with an origin", update(bytes((ORIGIN,)) + number(OWN, 0, 1))
    yield "nothing but 0xff", b"\xff" * 1_000
    yield "nothing but zeros", bytes(1_000)


def broken_text() -> Iterator[tuple[str, bytes]]:
    """What is no UTF-8, or no whole characters."""
    for name, raw in {
        "half a surrogate pair": b"\xed\xa0\x80",
        "the other half": b"\xed\xb0\x80",
        "a pair written as two": b"\xed\xa0\xbd\xed\xb9\x82",
        "a slash written long": b"\xc0\xaf",
        "NUL written long": b"\xc0\x80",
        "beyond Unicode": b"\xf4\x90\x80\x80",
        "five bytes": b"\xf8\x88\x80\x80\x80",
        "a lone continuation": b"\x80",
        "a character cut off": "🙂".encode()[:3],
    }.items():
        yield f"text with {name}", update(item(STRING, string(raw)))
        yield f"a root's name with {name}", update(item(STRING, string("x"), parent=b"\x01" + string(raw)))
        yield f"a format with {name}", update(item(FORMAT, string(raw) + string("1")))
    # OWN_TEXT holds a pair at 2 and 3: Yjs and yrs make different texts of what splits it.
    yield "half a pair deleted, the first", only_deletes(OWN, 2, 1)
    yield "half a pair deleted, the second", only_deletes(OWN, 3, 1)
    yield "half a pair at the end of a deletion", only_deletes(OWN, 0, 3)
    yield "half a pair at the start of a deletion", only_deletes(OWN, 3, 2)
    yield (
        "own past told with a pair across its end",
        update(item(STRING, string("🙂🙂")), client=OWN, clock=4),
    )
    yield "words in the middle of a pair", update(between((OWN, 2), (OWN, 3)))
    yield "words behind half a pair", update(behind(OWN, 2))
    yield "words before half a pair", update(before(OWN, 3))


def updates(scene: Scene) -> Iterator[tuple[str, bytes]]:
    """Every crafted update, by what is wrong with it; the deadliest first."""
    yield from deadly_updates()
    yield from foreign_updates(scene)
    yield from waiting_updates()
    yield from strange_contents()
    yield from large_numbers()
    yield from broken_bytes()
    yield from broken_text()
