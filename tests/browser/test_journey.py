"""From the door to the reveal: two strangers at two real browsers, each with a profile of their own."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
from playwright.sync_api import Browser, Page, expect

from anteroom.serving import Site, until
from tests.browser import stage
from tests.browser.browsers import Visitor
from tests.browser.room import Room

NAME = "Bo Finchquill"
EMAIL = "bo.finchquill@example.org"
GUEST_NAME = "Ada Canarywort"
PASSWORD = stage.PASSWORD
TITLE = "Islands in a grid"

SOLUTION = "def islands(grid):"
REMARK = "# what about an empty grid?"
HELLO = "Hello! Shall we begin with a small case?"
ANSWER = "Gladly. `islands([])` first."
ABOUT_CANDIDATE = "You explained every step. Next time, write the smallest failing test first."
ABOUT_INTERVIEWER = "Your hints came at the right moment, and never too early for me."


def test_journey(
    site: Site, chromium: Browser, other_chromium: Browser, visit: Callable[..., Visitor]
) -> None:
    interviewer = visit(other_chromium, "interviewer")
    candidate = visit(chromium, "candidate")

    sign_up_and_in_again(interviewer.page)
    tell_name(interviewer.page)
    link = open_room_in_two_clicks(interviewer.page)
    join_as_guest(candidate.page, link)
    hers, his = Room(interviewer), Room(candidate)
    masks = meet_in_the_lobby(hers, his)
    speak(hers, his)
    write_together(hers, his, masks)
    talk_and_draw(hers, his, masks)
    lose_nothing_by_a_reload(hers, his)
    code = his.code()
    end(hers, his)
    give_feedback(interviewer.page, candidate.page)
    unmask(interviewer.page, candidate.page)
    read_transcript(site, candidate, code)
    find_the_link_spent(visit(chromium, "latecomer"), link)


def sign_up_and_in_again(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="My interviews")).to_be_visible()

    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="My interviews")).to_be_visible()


def tell_name(page: Page) -> None:
    """It must stay unknown to the other side until both unmask."""
    page.goto("/me/")
    page.get_by_label("Name").fill(NAME)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()


def open_room_in_two_clicks(page: Page) -> str:
    """The link for the other seat."""
    page.goto("/")
    page.get_by_role("link", name="Open your first room").click()
    page.get_by_label("Title").fill(TITLE)  # not a click: there is a title already
    page.get_by_role("button", name="Open the room").click()
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    return page.get_by_role("textbox", name="Link for the candidate").input_value()


def join_as_guest(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Join as a guest").click()
    page.wait_for_url(re.compile("/lobby/$"))  # the secret is gone from the address
    expect(page.get_by_role("button", name="Enter the room")).to_be_visible()


def meet_in_the_lobby(hers: Room, his: Room) -> dict[str, str]:
    """Both see their own mask and that the other is there, check the microphone, consent, enter, start."""
    hers.page.get_by_role("link", name="Go to the lobby").click()
    masks = {"hers": hers.mask, "his": his.mask}
    assert len(set(masks.values())) == 2
    expect(hers.page.locator("#lobby-presence")).to_have_text(f"{masks['his']} is here")
    his.check_microphone()
    his.page.get_by_role("switch", name="My voice may be recorded").check()
    his.enter()
    hers.enter()
    hers.expect_phase("Not started")
    hers.start()
    for room in (hers, his):
        room.expect_phase("Live")
        expect(room.page.get_by_role("timer", name="Time")).to_contain_text("of 60 min")
    return masks


def speak(hers: Room, his: Room) -> None:
    """Each hears what is spoken into the other's microphone."""
    for room in (hers, his):
        room.turn_voice_on()
    for room in (hers, his):
        room.wait_until_heard()


def write_together(hers: Room, his: Room, masks: dict[str, str]) -> None:
    """Both type at the same time and end with the same text; undo takes back one's own alone."""
    hers.choose_language("Python")
    his.choose_language("Rust")
    for room in (hers, his):
        room.expect_language("rust")
    hers.choose_language("Python")
    his.expect_language("python")

    hers.type(REMARK + "\n\n")
    his.wait_for_code(hers.code())
    his.page.keyboard.press("Control+End")
    for mine, theirs in zip(SOLUTION, "-" * len(SOLUTION), strict=True):
        his.type(mine)
        hers.type(theirs)
    until(lambda: hers.code() == his.code(), "both see the same text")
    both = his.code()
    assert [line for line in both.split("\n") if SOLUTION in line], both
    for room, mask in ((hers, masks["his"]), (his, masks["hers"])):
        room.expect_caret_of(mask)

    for _ in range(20):
        hers.page.keyboard.press("Control+z")
    until(lambda: REMARK not in hers.code() and "-" not in hers.code(), "her own typing is undone")
    his.wait_for_code(hers.code())
    assert SOLUTION in hers.code(), "undo took the other's typing"
    for _ in range(20):
        hers.page.keyboard.press("Control+y")
    until(lambda: REMARK in hers.code(), "and redone")
    his.wait_for_code(hers.code())


def talk_and_draw(hers: Room, his: Room, masks: dict[str, str]) -> None:
    hers.say(HELLO)
    his.expect_line(masks["hers"], HELLO)
    his.say(ANSWER)
    hers.expect_line(masks["his"], "Gladly.")
    assert hers.lines() == his.lines()

    hers.open_board()
    his.open_board()
    before = his.ink()
    hers.draw_rectangle()
    until(lambda: his.ink() > before + 200, "the drawing is at the other side")
    for room in (hers, his):
        room.show("Code")
        expect(room.editor).to_be_visible()


def lose_nothing_by_a_reload(hers: Room, his: Room) -> None:
    before = his.code(), his.lines()
    his.wait_until_saved()
    his.page.reload()
    his.wait_until_open()
    his.expect_phase("Live")
    his.wait_for_code(before[0])
    assert his.lines() == before[1]
    his.open_board()
    until(lambda: his.ink() > 200, "the drawing is still there")
    his.show("Code")
    his.expect_voice()
    hers.wait_until_heard()


def end(hers: Room, his: Room) -> None:
    his.end()
    for room in (hers, his):
        room.expect_phase("Wrap-up")
    hers.go_to_feedback()
    for room in (hers, his):
        room.page.wait_for_url("**/feedback/")


def choose(page: Page, question: str, answer: str) -> None:
    group = page.get_by_role("group", name=re.compile("^" + re.escape(question)))
    group.locator("label").filter(has_text=re.compile(f"^\\W*{answer}\\b")).click()


def seal(page: Page) -> None:
    page.get_by_role("button", name="Seal and send").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Seal and send").click()


def give_feedback(hers: Page, his: Page) -> None:
    """The candidate's private part comes first; nothing shows before both have submitted."""
    expect(his.get_by_role("heading", name="First, just for you")).to_be_visible()
    choose(his, "How well do you think you did?", "2")
    choose(his, "Had you seen this question before?", "No")
    his.get_by_role("button", name="Go on to your feedback").click()

    choose(hers, "Would you advance this person?", "Yes")
    for question in ("Technical skill", "Problem solving", "Communication"):
        choose(hers, question, "3")
    hers.get_by_label("Help your interviewee get better").fill(ABOUT_CANDIDATE)
    seal(hers)
    expect(hers.get_by_role("heading", name="Sealed. Thank you.")).to_be_visible()

    choose(his, "Would you want to work with this interviewer?", "Yes")
    expect(his.get_by_text("Draft saved")).to_be_visible()
    his.reload()
    assert ABOUT_CANDIDATE not in his.content(), "her words show before his are sealed"
    expect(his.get_by_role("group", name="Would you want").get_by_label("Yes")).to_be_checked()
    for question in ("How excited", "Quality of the questions", "Communication"):
        choose(his, question, "3")
    choose(his, "Helpfulness of the hints", "4")
    his.get_by_label("What would you tell them?").fill(ABOUT_INTERVIEWER)
    assert ABOUT_INTERVIEWER not in hers.content()
    seal(his)
    for page in (hers, his):
        expect(page.get_by_role("heading", name="Both have answered")).to_be_visible(timeout=15_000)
        expect(page.get_by_text(ABOUT_CANDIDATE)).to_be_visible()
        expect(page.get_by_text(ABOUT_INTERVIEWER)).to_be_visible()
    expect(his.get_by_role("heading", name="How you saw it")).to_be_visible()
    expect(hers.get_by_role("heading", name="How you saw it")).to_have_count(0)


def unmask(hers: Page, his: Page) -> None:
    """A name shows when both have said yes, not before."""
    hers.get_by_role("checkbox", name="Name").check()
    hers.get_by_role("button", name="Yes, unmask if they do").click()
    expect(hers.get_by_role("heading", name="You said yes")).to_be_visible()
    his.reload()
    assert NAME not in his.content()

    his.get_by_role("textbox", name="Name").fill(GUEST_NAME)
    his.get_by_role("button", name="Yes, unmask if they do").click()
    for page, name in ((his, NAME), (hers, GUEST_NAME)):
        expect(page.get_by_role("heading", name="You have both taken off the mask")).to_be_visible(
            timeout=15_000
        )
        expect(page.get_by_text(name)).to_be_visible()


def read_transcript(site: Site, candidate: Visitor, code: str) -> None:
    """On its page and, by the same session and by nobody's, as JSON."""
    page = candidate.page
    page.get_by_role("link", name="Read the transcript").click()
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    expect(page.get_by_text(HELLO)).to_be_visible()
    expect(page.get_by_text(ABOUT_CANDIDATE)).to_be_visible()

    address = page.get_by_role("link", name="Download JSON").get_attribute("href")
    assert address
    answer = candidate.context.request.get(address)
    assert answer.ok
    items = answer.json()["items"]
    said = [(item["seat"], item["text"]) for item in items if item["kind"] == "line"]
    assert said == [("interviewer", HELLO), ("candidate", ANSWER)]
    assert [item["text"] for item in items if item["kind"] == "code"][-1] == code
    assert [item["at_ms"] for item in items] == sorted(item["at_ms"] for item in items)
    kinds = {item["kind"] for item in items}
    assert kinds >= {"came", "phase", "language", "consent", "code", "line", "board", "review"}
    assert EMAIL not in answer.text()
    assert httpx.get(site.url + address).status_code == 401


def find_the_link_spent(latecomer: Visitor, link: str) -> None:
    with latecomer.expecting("status of 410"):
        latecomer.open(link)
        expect(latecomer.page.get_by_text("was used already or has expired")).to_be_visible()
    expect(latecomer.page.get_by_role("button", name="Join as a guest")).to_have_count(0)
