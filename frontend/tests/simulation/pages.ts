/**
 * Browser pages in virtual time, for tests/simulation: the real connection.ts, wire.ts, parts.ts and elements.ts
 * and a real Yjs document; the clock, the network and the person are driven over stdin.
 *
 * One line of JSON comes in, `{page, now_ms, do, …}`, and one goes out: what the page did in answer, in order,
 * and when its next timer is due. Nothing happens between two lines.
 */
import "./clock"; // before all others

import { createInterface } from "node:readline";
import {
  Awareness,
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from "y-protocols/awareness";
import * as Y from "yjs";
import { Connection, type Socket, type Status } from "../../src/connection";
import { asSent, inBatches, wins } from "../../src/room/elements";
import { inParts } from "../../src/room/parts";
import {
  type ClientMessage,
  type Element,
  encode,
  type Line,
  type Seat,
  type ServerMessage,
} from "../../src/wire";
import { seeded } from "../sockets";
import { now, Timers } from "./clock";

const FROM_ROOM = Symbol("from the room");
/** As in room/code.ts and rooms/wire.py: a frame's size without its head. */
const MOST_EDIT_BYTES = 64 * 1024 - 16;
const CURSOR_MS = 30;

type Deed = [what: string, ...details: unknown[]];
interface Order {
  page: number;
  now_ms: number;
  do: string;
  [detail: string]: unknown;
}

// --- a page's clock, window and sockets ---------------------------------------------------------------

/** The page whose code is running. */
let current: Page;

class PageSocket implements Socket {
  binaryType: BinaryType = "blob";
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  #isOpen = true;

  constructor(
    readonly page: Page,
    readonly id: number,
  ) {}

  send(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#isOpen) this.page.did("send", this.id, base64(frame));
  }

  close(): void {
    if (this.#isOpen) this.page.did("close", this.id);
    this.#isOpen = false;
  }

  gone(code: number, reason: string): void {
    this.#isOpen = false;
    this.onclose?.({ code, reason });
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const unbase64 = (text: string): ArrayBuffer => new Uint8Array(Buffer.from(text, "base64")).buffer;

Object.assign(globalThis, {
  window: {
    addEventListener: (name: string, run: () => void) => current.listeners.push([name, run]),
    removeEventListener: (name: string, run: () => void) => {
      current.listeners = current.listeners.filter((each) => each[0] !== name || each[1] !== run);
    },
  },
});
console.warn = (...words: unknown[]) => current.did("warned", words.join(" "));

// --- a page -------------------------------------------------------------------------------------------

/** What room/main.ts brings together, without anything to look at. */
class Page {
  timers = new Timers();
  listeners: [name: string, run: () => void][] = [];
  deeds: Deed[] = [];
  sockets: PageSocket[] = [];
  doc = new Y.Doc();
  awareness!: Awareness;
  telling: ReturnType<typeof setTimeout> | undefined;
  text = this.doc.getText("code");
  lines = new Map<number, Line>();
  elements = new Map<string, Element>();
  seats: Seat[] = [];
  phase = "";
  language = "";
  status: Status = "connecting";
  random: () => number;
  connection!: Connection;

  constructor(
    readonly seat: string,
    seed: number,
  ) {
    this.random = seeded(seed);
    Math.random = this.random;
    this.doc.clientID = Math.floor(this.random() * 2 ** 32);
    now.timers = this.timers;
    this.awareness = new Awareness(this.doc);
    this.awareness.setLocalState({ cursor: null });
    this.awareness.on("update", (_: unknown, origin: unknown) => {
      if (origin === "local") this.tellSoon();
    });
    this.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin === FROM_ROOM) return;
      for (const part of inParts(update, MOST_EDIT_BYTES)) this.send({ kind: "Edit", update: part });
    });
  }

  connect(): void {
    this.connection = new Connection({
      url: "wss://room",
      vector: () => Y.encodeStateVector(this.doc),
      onMessage: (message) => this.receive(message),
      onFresh: () => {
        const others = [...this.awareness.getStates().keys()].filter((id) => id !== this.doc.clientID);
        removeAwarenessStates(this.awareness, others, FROM_ROOM);
        this.tellSoon();
      },
      onStatus: (status) => {
        this.status = status;
        this.did("status", status);
      },
      onClosed: (code, sentence) => this.did("closed", code, sentence),
      openSocket: () => {
        const socket = new PageSocket(this, this.sockets.length);
        this.sockets.push(socket);
        this.did("open", socket.id);
        return socket;
      },
      random: this.random,
    });
  }

  did(...deed: Deed): void {
    this.deeds.push(deed);
  }

  /** A person's doing, told before it leaves: what becomes of it is what the simulation is about. */
  send(message: ClientMessage): void {
    this.did("made", base64(encode(message)));
    this.connection.send(message);
  }

  /** As room/code.ts tells of the cursor. */
  tellSoon(): void {
    this.telling ??= setTimeout(() => {
      this.telling = undefined;
      const update = encodeAwarenessUpdate(this.awareness, [this.doc.clientID]);
      this.connection.send({ kind: "Awareness", update });
    }, CURSOR_MS);
  }

  receive(message: ServerMessage): void {
    switch (message.kind) {
      case "Welcome":
        this.phase = message.phase;
        this.language = message.language;
        this.seats = message.seats;
        for (const line of message.lines) this.lines.set(line.seq, line);
        this.draw(message.elements);
        break;
      case "SyncStep2":
      case "Edit":
        Y.applyUpdate(this.doc, message.update, FROM_ROOM);
        break;
      case "Awareness":
        applyAwarenessUpdate(this.awareness, message.update, FROM_ROOM);
        break;
      case "Said":
        this.lines.set(message.seq, message as Line);
        break;
      case "Drawn":
        this.draw(message.elements);
        break;
      case "LanguageChosen":
        this.language = message.language;
        break;
      case "Moved":
        this.phase = message.phase;
        break;
      case "Present":
        this.seats = message.seats;
        break;
      case "Refused":
        this.did("refused", message.code, message.key);
        break;
      default:
    }
  }

  /** As room/board.ts: what is newer here stays. */
  draw(elements: readonly Element[]): void {
    for (const element of elements) {
      if (wins(element, this.elements.get(element.id))) this.elements.set(element.id, element);
    }
  }

  /** One change as an editor makes it: between two letters, though a letter may be two units long. */
  replace(where: number, length: number, text: string): void {
    const before = this.text.toString();
    const start = betweenLetters(before, Math.floor(where * (before.length + 1)));
    const end = betweenLetters(before, Math.min(before.length, start + length));
    this.doc.transact(() => {
      if (end > start) this.text.delete(start, end - start);
      if (text !== "") this.text.insert(start, text);
    });
    const place = Y.createRelativePositionFromTypeIndex(this.text, start + text.length);
    this.awareness.setLocalStateField("cursor", { anchor: place, head: place });
  }

  look() {
    return {
      text: this.text.toString(),
      pending: this.doc.store.pendingStructs !== null || this.doc.store.pendingDs !== null,
      lines: [...this.lines.values()].sort((a, b) => a.seq - b.seq),
      elements: [...this.elements.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
      phase: this.phase,
      language: this.language,
      seats: this.seats,
      client: this.doc.clientID,
      cursors: Object.fromEntries([...this.awareness.getStates()].map(([id, state]) => [id, placeOf(state)])),
      status: this.status,
      unsaved: this.connection.unsaved,
    };
  }
}

/** Which letter a cursor stands at; nothing for a page without one. */
function placeOf(state: { cursor?: { head: unknown } | null }): string {
  if (!state.cursor) return "";
  const { item, tname } = Y.createRelativePositionFromJSON(state.cursor.head);
  return item ? `${item.client}/${item.clock}` : `${tname}`;
}

function betweenLetters(text: string, place: number): number {
  const unit = text.charCodeAt(place);
  return unit >= 0xdc00 && unit <= 0xdfff ? place - 1 : place;
}

// --- what may happen to a page ------------------------------------------------------------------------

const ORDERS: Record<string, (page: Page, order: Order) => unknown> = {
  tick: (page) => page.timers.runDue(),
  hear: (page, { socket, frames }) => {
    for (const frame of frames as string[])
      page.sockets[socket as number]?.onmessage?.({ data: unbase64(frame) });
  },
  gone: (page, { socket, code, reason }) =>
    page.sockets[socket as number]?.gone(code as number, reason as string),
  online: (page) => {
    for (const [name, run] of page.listeners) if (name === "online") run();
  },
  /** where: of the text's length, from 0 to 1. */
  type: (page, { where, text }) => page.replace(where as number, 0, text as string),
  erase: (page, { where, length }) => page.replace(where as number, length as number, ""),
  replace: (page, { where, text }) => page.replace(where as number, 3, text as string),
  draw: (page, { element }) => {
    const before = page.elements.get((element as Element).id);
    const version = (before?.version ?? 0) + 1;
    const sent = [asSent({ ...(element as Element), version })];
    page.draw(sent);
    for (const batch of inBatches(sent)) page.send({ kind: "Draw", elements: batch });
  },
  send: (page, { message }) => page.send(message as ClientMessage),
  look: (page) => page.look(),
};

const pages = new Map<number, Page>();

/** Do it; returns what was asked to be seen. */
function obey(order: Order): unknown {
  now.ms = order.now_ms;
  if (order.do !== "load") {
    current = pages.get(order.page) as Page;
    now.timers = current.timers;
    return ORDERS[order.do]?.(current, order);
  }
  if (order.page === 0) pages.clear(); // the first of a simulation
  current = new Page(order.seat as string, order.seed as number);
  pages.set(order.page, current);
  current.connect();
  return undefined;
}

function answer(seen: unknown): string {
  const { deeds, timers, connection, phase } = current;
  current.deeds = [];
  return JSON.stringify({ deeds, next_ms: timers.next_ms, unsaved: connection.unsaved, phase, seen });
}

// In the engine's own time: promises of the page settle before the answer goes out.
createInterface({ input: process.stdin }).on("line", (line) => {
  let seen: unknown;
  try {
    seen = obey(JSON.parse(line));
  } catch (error) {
    current.did("crashed", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  setImmediate(() => process.stdout.write(`${answer(seen)}\n`));
});
