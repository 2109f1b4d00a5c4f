"""Two ordinary Yjs clients and one of ours in one room: y-websocket needs nothing that Anteroom lacks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from channels.db import database_sync_to_async
from pycrdt import Doc, Text
from pytest_django.plugin import DjangoDbBlocker

from anteroom.serving import Site
from rooms import log
from rooms.roles import Role
from rooms.streams import Stream
from tests.rooms.people import client_of, make_pair, socket_site
from tests.rooms.plain_yjs import PlainClient

pytestmark = pytest.mark.slow  # starts servers of its own

WORDS = 40


@pytest.fixture(scope="module", params=["daphne", "roomserver"])
def rooms_site(
    request: pytest.FixtureRequest,
    site_template: str,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Site]:
    """Either server of the rooms."""
    home = tmp_path_factory.mktemp(request.param)
    with socket_site(site_template, home, django_db_blocker, shell=request.param) as site:
        yield site


async def test_ordinary_clients_and_ours_converge(rooms_site: Site) -> None:
    pair = await database_sync_to_async(make_pair)()
    async with (
        PlainClient(rooms_site, pair, Role.CANDIDATE) as candidate,
        PlainClient(rooms_site, pair, Role.INTERVIEWER) as interviewer,
        client_of(rooms_site, pair, Role.INTERVIEWER) as ours,
    ):
        for number in range(WORDS):
            await asyncio.gather(
                candidate.do("append", words=f"c{number} "),
                interviewer.do("insert", at=0, words=f"i{number} 🙂 "),
                ours.edit((0, 0, f"o{number} é ")),
            )
        wanted = {f"{letter}{number}" for letter in "cio" for number in range(WORDS)} | {"🙂", "é"}
        length = WORDS * 3 + WORDS * 2

        def is_whole(text: str) -> bool:
            return len(text.split()) == length and set(text.split()) == wanted

        await ours.until(lambda: is_whole(str(ours.text)), "everything")
        text = str(ours.text)
        for client in (candidate, interviewer):
            await client.until(lambda state: state["text"] == text, "the same text")
        await candidate.do("remove", at=0, length=len(text.encode("utf-16-le")) // 2 - 4)
        rest = text[-4:]
        await ours.until(lambda: str(ours.text) == rest, "the deletion")
        await interviewer.until(lambda state: state["text"] == rest, "the deletion")
        assert not ours.has_gap and not ours.refusals
        assert candidate.state["connections"] == interviewer.state["connections"] == 1, "nobody was cut off"
    plain: Doc[Text] = Doc()
    text_ = plain.get("code", type=Text)
    for entry in await database_sync_to_async(log.entries)(pair.room_id):
        if entry.stream is Stream.CODE:
            plain.apply_update(entry.payload)
    assert str(text_) == rest, "the log's replay"


async def test_a_name_that_a_client_claims_reaches_nobody(rooms_site: Site) -> None:
    pair = await database_sync_to_async(make_pair)()
    async with (
        PlainClient(rooms_site, pair, Role.CANDIDATE) as candidate,
        PlainClient(rooms_site, pair, Role.INTERVIEWER) as interviewer,
    ):
        await candidate.do("append", words="hello")
        await candidate.do("claim", user={"name": "Ada Lovelace", "color": "#123456", "seat": "interviewer"})
        await candidate.do("point", at=3)
        who = str(candidate.state["clientId"])

        def has_cursor(state: dict[str, dict[str, dict[str, object]]]) -> bool:
            return bool(state["others"].get(who, {}).get("cursor"))

        await interviewer.until(has_cursor, "the cursor")
        seen = interviewer.state["others"][who]
        assert (seen["user"]["name"], seen["user"]["seat"]) == ("Quiet Heron", "candidate")
        assert seen["cursor"]["anchor"]["item"] is not None or seen["cursor"]["anchor"]["tname"] == "code"
        said = json.dumps(interviewer.state["others"])
        assert "Lovelace" not in said and "#123456" not in said
        await candidate.do("leave")
        await interviewer.until(lambda state: who not in state["others"], "the cursor's end")


async def test_a_client_that_was_cut_off_comes_back_with_what_it_typed_meanwhile(rooms_site: Site) -> None:
    pair = await database_sync_to_async(make_pair)()
    async with (
        PlainClient(rooms_site, pair, Role.CANDIDATE) as candidate,
        PlainClient(rooms_site, pair, Role.INTERVIEWER) as interviewer,
        client_of(rooms_site, pair, Role.CANDIDATE) as ours,
    ):
        await candidate.do("append", words="one ")
        await interviewer.until(lambda state: state["text"] == "one ", "the first word")
        await candidate.do("cut")
        await candidate.do("append", words="two ")
        await candidate.until(lambda state: state["connections"] == 2, "the return")
        await interviewer.until(lambda state: state["text"] == "one two ", "what was typed without a socket")

        await interviewer.do("leave")
        await interviewer.until(lambda state: state["status"] == "disconnected", "the leaving")
        await interviewer.do("append", words="three ")
        await candidate.do("insert", at=0, words="zero ")
        await ours.until(lambda: str(ours.text) == "zero one two ", "the other's word")
        await interviewer.do("come")
        for client in (candidate, interviewer):
            await client.until(lambda state: state["text"] == "zero one two three ", "both words")
        await ours.until(lambda: str(ours.text) == "zero one two three ", "both words")
