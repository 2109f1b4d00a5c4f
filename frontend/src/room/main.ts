/** The lobby and the room: brings the parts together. Each part draws; only the connection speaks. */
import "../styles/room.css";
import { Connection } from "../connection";
import { Lobby } from "../lobby/lobby";
import { sayLine } from "../say";
import {
  type ClientMessage,
  type Refused,
  randomKey,
  type Seat,
  type ServerMessage,
  type Welcome,
} from "../wire";
import { Board } from "./board";
import { Chat } from "./chat";
import { RoomClock } from "./clock";
import { Code, MAX_INSERT_BYTES } from "./code";
import { Lifecycle } from "./lifecycle";
import { element, readPage, type Stage } from "./page";
import { Presence } from "./presence";
import { showStatus } from "./status";
import { Talk } from "./talk";
import { toast } from "./toast";

const page = readPage();
const clock = new RoomClock();
const presence = new Presence(page.seat);
const language = element<HTMLSelectElement>("language");
let stage: Stage = page.stage;
let leaving = false;
let welcomed = false;

const send = (message: ClientMessage): boolean => connection.send(message);

const code = new Code({
  parent: element("code"),
  language: page.language,
  send,
  onTooMuch: () =>
    toast(`That is more than ${MAX_INSERT_BYTES / 1000} kB at once. Paste it in smaller parts.`),
  onPlace: (line, column) => {
    element("code-place").textContent = `Line ${line}, column ${column}`;
  },
});
const board = new Board({
  host: element("board"),
  send,
  onNews: () => {
    if (welcomed && !boardIsShown()) element("board-news").hidden = false;
  },
  onHeldBack: () => toast("The board takes drawings and text; pictures stay outside."),
});
const chat = new Chat({
  mine: page.seat,
  names: page.guard?.names ?? [],
  clock,
  presence,
  send,
  isShown: () => stage === "room" && element("lines").offsetParent !== null,
});
const lifecycle = new Lifecycle({
  clock,
  presence,
  urls: page.urls,
  move: (phase) => send({ kind: "Move", phase }),
  onWritable: (writable) => {
    code.setWritable(writable);
    if (writable && stage === "room" && document.activeElement === document.body) code.focus();
    board.setWritable(writable);
    chat.setWritable(writable);
    language.disabled = !writable;
  },
  onLeave: () => {
    leaving = true;
    talk.close();
  },
});
const talk = new Talk({ send, onSpeaking: (mine, theirs) => presence.showSpeaking(mine, theirs) });
const lobby = new Lobby({
  invitationUrl: page.invitation_url,
  onEnter: (deviceId) => {
    history.pushState(null, "", page.urls.room);
    show("room");
    void talk.start(deviceId);
  },
});

const socketUrl = new URL(page.urls.socket, window.location.href);
socketUrl.protocol = socketUrl.protocol === "https:" ? "wss:" : "ws:";
const connection: Connection = new Connection({
  url: socketUrl.href,
  vector: () => code.vector,
  onMessage: receive,
  onFresh: () => {
    clock.reset();
    code.welcome();
    talk.again();
  },
  onStatus: showStatus,
  onClosed: (closeCode, sentence) => lifecycle.closed(closeCode, sentence),
});

function receive(message: ServerMessage): void {
  switch (message.kind) {
    case "Welcome":
      welcome(message);
      break;
    case "SyncStep1":
      break; // what the room lacks is in the outbox, message by message, and goes out by itself
    case "SyncStep2":
    case "Edit":
    case "Awareness":
      code.receive(message);
      break;
    case "Said":
      chat.said({ ...message, seat: message.seat as Seat["seat"] });
      break;
    case "Drawn":
      board.receive(message.elements);
      break;
    case "LanguageChosen":
      choose(message.language);
      if (message.seat !== page.seat) {
        toast(`${presence.maskOf(message.seat)} set the language to ${language.selectedOptions[0]?.text}.`);
      }
      break;
    case "Moved":
      lifecycle.moved(message);
      break;
    case "Present":
      present(message.seats);
      break;
    case "Beat":
      clock.set(message.at_ms);
      break;
    case "Refused":
      refused(message);
      break;
    case "Answer":
      talk.answer(message.sdp);
      break;
    case "Committed":
      break; // the connection's business
    default:
      message satisfies never;
  }
}

function welcome(message: Welcome): void {
  clock.set(message.at_ms);
  present(message.seats);
  choose(message.language);
  for (const line of message.lines) chat.said(line);
  board.receive(message.elements);
  lifecycle.welcome(message);
  welcomed = true;
}

function present(seats: Seat[]): void {
  presence.show(seats);
  lifecycle.refresh();
  lobby.otherIsHere = presence.other?.here === true;
  const [mine, theirs] = [presence.me?.recording === true, presence.other?.recording === true];
  for (const id of ["consent", "voice-consent"]) {
    element<HTMLInputElement>(id).checked = mine;
    element<HTMLInputElement>(id).disabled = false;
  }
  element("voice-consent-words").textContent =
    mine && theirs
      ? "You both said yes."
      : theirs
        ? `${presence.other?.mask} said yes; nothing is kept unless you do too.`
        : "Nothing of the voice is kept unless you both say yes.";
}

function refused({ code: refusal, sentence, key }: Refused): void {
  if (key !== "" && chat.refused(key, refusal, sentence)) return;
  if (
    ["bad_offer", "too_many_offers", "voice_elsewhere", "voice_full", "voice_unavailable"].includes(refusal)
  ) {
    talk.refused();
  }
  if (!leaving) toast(sayLine(refusal, sentence));
  present(presence.seats); // a switch that was refused goes back
}

function choose(key: string): void {
  language.value = key;
  void code.setLanguage(key);
}

// --- stages and views ---------------------------------------------------------------------------------

function show(next: Stage): void {
  stage = next;
  element("lobby").hidden = stage !== "lobby";
  element("room").hidden = element("skip").hidden = stage !== "room";
  if (stage === "room") {
    lobby.close();
    chat.seen();
    code.focus();
  }
}

function shownView(): string {
  return element("room").dataset.view ?? "code";
}

function boardIsShown(): boolean {
  return stage === "room" && ["board", "both"].includes(shownView());
}

/** Wide enough for code and chat at once: the size at which room.css lays them side by side. */
const wide = window.matchMedia("(min-width: 56.01rem)");

function showView(view: string): void {
  element("room").dataset.view = view;
  element("views").querySelector<HTMLInputElement>(`[value="${view}"]`)?.click();
}

wide.addEventListener("change", () => {
  if (wide.matches && shownView() === "chat") showView("code");
  if (!wide.matches && shownView() === "both") showView("code");
});

element("views").addEventListener("change", (event) => {
  const view = (event.target as HTMLInputElement).value;
  element("room").dataset.view = view;
  if (boardIsShown()) {
    element("board-news").hidden = true;
    void board.open();
  }
  if (view === "chat") chat.seen();
});

language.addEventListener("change", () => {
  void code.setLanguage(language.value);
  send({ kind: "ChooseLanguage", language: language.value, key: randomKey() });
});

for (const id of ["consent", "voice-consent"]) {
  element<HTMLInputElement>(id).addEventListener("change", (event) => {
    const recording = (event.target as HTMLInputElement).checked;
    send({ kind: "Consent", recording, key: randomKey() });
  });
}

window.addEventListener("popstate", () => {
  show(window.location.pathname === page.urls.lobby ? "lobby" : "room");
});

window.addEventListener("beforeunload", (event) => {
  if (connection.unsaved && !leaving) event.preventDefault();
});

show(stage);
if (stage === "room") void comeBack();

/** After a reload the voice comes back by itself, unless the browser would have to ask first. */
async function comeBack(): Promise<void> {
  const permission = await navigator.permissions
    ?.query({ name: "microphone" as PermissionName })
    .catch(() => undefined);
  if (permission?.state === "granted") await talk.start();
}
