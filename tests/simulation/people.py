"""What people do at their pages, and what they were promised."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rooms.roles import Role
from rooms.wire import ClientMessage, Say, decode_from_client
from tests.simulation.ledger import Broken
from tests.simulation.pages import Page

if TYPE_CHECKING:
    from tests.simulation.world import World

WRITABLE = ("lobby", "live", "wrap_up")
LANGUAGES = ("python", "go", "rust", "typescript", "sql")
ELEMENTS = 5
"""So few elements are on a board that both sides change the same ones."""


class Person:
    """Somebody at one page, from its loading to its end."""

    def __init__(self, world: World, room_id: uuid.UUID, role: Role, number: int) -> None:
        self.room_id, self.role = room_id, role
        self.key = f"{role.word} of room {world.rooms.index(room_id)}"
        self.page: Page
        self.was_closed = False
        """The room let the page go for good."""
        self.made: list[ClientMessage] = []
        """What the person did and nobody has promised to keep."""
        self._refused = 0
        self._world = world
        self._name = f"page {number}"
        self._random = world.random(self._name)
        self._deeds_per_s = world.plan.deeds_per_s * (
            world.plan.quiet if role is world.plan.listener else 1.0
        )

    def begin(self) -> None:
        if self._deeds_per_s:
            self._next()

    def _next(self) -> None:
        self._world.loop.after(self._random.expovariate(self._deeds_per_s), self._act)

    def _act(self) -> None:
        if self._world.is_calm or not self.page.is_open or self.was_closed:
            return
        if self.page.phase in WRITABLE and not self.page.is_asleep:
            deed = self._random.choices(DEEDS, WEIGHTS)[0]
            deed(self)
        self._next()

    # --- deeds ----------------------------------------------------------------------------------------

    def _type(self) -> None:
        self._does("type", where=self._random.random(), text=self._letters(self._random.choice((1, 1, 1, 8))))

    def _erase(self) -> None:
        self._does("erase", where=self._random.random(), length=self._random.choice((1, 1, 5)))

    def _replace(self) -> None:
        self._does("replace", where=self._random.random(), text=self._letters(2))

    def _say(self) -> None:
        key = self._key()
        self._send(kind="Say", key=key, text=f"line {key[:4]} — 你好")

    def _draw(self) -> None:
        number = self._random.randrange(ELEMENTS)
        element = {
            "id": f"box-{number}", "type": "rectangle", "x": round(self._random.uniform(0, 500), 2), "y": 20,
            "width": 30, "height": 40, "versionNonce": self._random.getrandbits(31),
            "isDeleted": self._random.random() < 0.1, "index": f"a{number}",
        }  # fmt: skip
        self._does("draw", element=element)

    def _choose(self) -> None:
        self._send(kind="ChooseLanguage", language=self._random.choice(LANGUAGES), key=self._key())

    def _consent(self) -> None:
        self._send(kind="Consent", recording=self._random.random() < 0.5, key=self._key())

    def _move(self) -> None:
        phase = {"lobby": "live", "live": "wrap_up", "wrap_up": "feedback"}[self.page.phase]
        if phase in self._world.plan.moves:
            self._send(kind="Move", phase=phase)

    def _key(self) -> str:
        return f"{self._random.getrandbits(64):x}"

    def _letters(self, count: int) -> str:
        return "".join(next(self._world.letters) for _ in range(count))

    def _does(self, what: str, **details: Any) -> None:
        self._world.say(self._name, f"{what} {details}")
        self.page.does(what, **details)

    def _send(self, **message: Any) -> None:
        self._does("send", message=message)

    # --- what the page does ---------------------------------------------------------------------------

    def did(self, what: str, details: list[Any]) -> None:
        """The page did something by itself or in answer."""
        if what not in ("made", "send"):
            self._world.say(self._name, f"{what} {details}")
        HEARD[what](self, *details)

    def _made(self, frame: bytes) -> None:
        self.made.append(decode_from_client(frame))

    def _opens(self, socket: int) -> None:
        self._world.connect(self.page, self, socket)

    def _sends(self, socket: int, frame: bytes) -> None:
        if link := self._world.links.get((self.page, socket)):
            link.page_sends(frame)

    def _closes(self, socket: int) -> None:
        if link := self._world.links.get((self.page, socket)):
            link.page_closes()

    def _shows_status(self, status: str) -> None:
        if status == "saved":
            self._check_saved()

    def _is_closed(self, code: str, sentence: str) -> None:
        self.was_closed = True
        if code == "signed_out" and self._world.was_signed_out(self.key):
            self._world.loop.after(self._random.uniform(0.5, 5.0), self._world.reload_page, self.page)
        elif code != "room_ended":
            raise Broken(f"{self._name} was closed for good: {code}, {sentence}")

    def _could_not_read(self, words: str) -> None:
        raise Broken(f"{self._name} could not read what came: {words}")

    def _crashed(self, words: str) -> None:
        raise Broken(f"{self._name} met an error: {words}")

    def _is_refused(self, code: str, key: str) -> None:
        if key:
            self.made = [each for each in self.made if not isinstance(each, Say) or each.key != key]
        else:
            self._refused += 1

    def _check_saved(self) -> None:
        """The page says that all is saved. Raises Broken when it is not."""
        ledger = self._world.ledgers[self.room_id]
        made, self.made = self.made, []
        for message in made:
            if not ledger.holds(self.role, message):
                self._refused -= 1
                if self._refused < 0:
                    raise Broken(f"{self._name} says saved, but the log lacks {message}")


HEARD: dict[str, Callable[..., None]] = {
    "made": Person._made,
    "open": Person._opens,
    "send": Person._sends,
    "close": Person._closes,
    "status": Person._shows_status,
    "refused": Person._is_refused,
    "closed": Person._is_closed,
    "warned": Person._could_not_read,
    "crashed": Person._crashed,
}
DEEDS = (
    Person._type, Person._erase, Person._replace, Person._say, Person._draw,
    Person._choose, Person._consent, Person._move,
)  # fmt: skip
WEIGHTS = (60, 10, 6, 8, 8, 2, 2, 2)
