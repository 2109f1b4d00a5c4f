/**
 * Every message on a room's socket and every close code: rooms/wire.py, name for name.
 *
 * One WebSocket message holds one frame: a kind (one byte), then its body. Kinds 0, 1 and 3 are the
 * y-protocols; kinds from 16 have a JSON body, and `Committed` alone is packed. What a message means stands
 * in rooms/wire.py; both languages read every file in tests/golden/ alike.
 */

/** From a client. Larger frames are refused before anything reads them. */
export const MAX_FRAME_BYTES = 64 * 1024;
export const MAX_CHAT_CHARACTERS = 2_000;

const SYNC = 0;
const AWARENESS = 1;
const ASK_AWARENESS = 3;
const STEPS = ["SyncStep1", "SyncStep2", "Edit"] as const;

/** These bytes are no frame of this protocol. */
export class Malformed extends Error {}

// --- the y-protocols ----------------------------------------------------------------------------------

export type SyncStep1 = { kind: "SyncStep1"; vector: Uint8Array };
export type SyncStep2 = { kind: "SyncStep2"; update: Uint8Array };
export type Edit = { kind: "Edit"; update: Uint8Array };
export type Awareness = { kind: "Awareness"; update: Uint8Array };
export type AskAwareness = { kind: "AskAwareness" };

// --- what the JSON bodies hold ------------------------------------------------------------------------

export type Role = "candidate" | "interviewer" | "observer";
export type MicrophoneState = "off" | "on" | "muted";
/** A seat as Present and Welcome tell of it. */
export type Seat = {
  seat: Role;
  mask: string;
  here: boolean;
  recording: boolean;
  microphone: MicrophoneState;
};
/** A line of chat as Welcome tells of it: the fields of Said. */
export type Line = { seq: number; at_ms: number; seat: Role; key: string; text: string };
/** A board element as Excalidraw writes it; the room looks at these fields alone. */
export type Element = { id: string; version: number; versionNonce: number; [field: string]: unknown };

// --- Anteroom's own, from a client --------------------------------------------------------------------

export type Say = { kind: "Say"; key: string; text: string };
export type Draw = { kind: "Draw"; elements: Element[] };
export type ChooseLanguage = { kind: "ChooseLanguage"; language: string; key: string };
export type Move = { kind: "Move"; phase: string };
export type Consent = { kind: "Consent"; recording: boolean; key: string };
export type Resume = { kind: "Resume"; after_seq: number };
export type Offer = { kind: "Offer"; sdp: string };
export type Microphone = { kind: "Microphone"; state: string };

// --- Anteroom's own, from the server ------------------------------------------------------------------

export type Welcome = {
  kind: "Welcome";
  seat: string;
  title: string;
  phase: string;
  language: string;
  seq: number;
  at_ms: number;
  live_at_ms: number | null;
  ends_at_ms: number | null;
  seats: Seat[];
  lines: Line[];
  elements: Element[];
};
export type Said = { kind: "Said"; seq: number; at_ms: number; seat: string; key: string; text: string };
export type Drawn = { kind: "Drawn"; seq: number; elements: Element[] };
export type LanguageChosen = {
  kind: "LanguageChosen";
  seq: number;
  at_ms: number;
  seat: string;
  language: string;
};
export type Moved = {
  kind: "Moved";
  seq: number;
  at_ms: number;
  seat: string;
  phase: string;
  live_at_ms: number | null;
  ends_at_ms: number | null;
};
export type Present = { kind: "Present"; seats: Seat[] };
export type Committed = { kind: "Committed"; after_seq: number; seq: number; saved: number };
export type Beat = { kind: "Beat"; seq: number; at_ms: number };
export type Refused = { kind: "Refused"; code: string; sentence: string; key: string };
export type Answer = { kind: "Answer"; sdp: string };

type JsonFromClient = Say | Draw | ChooseLanguage | Move | Consent | Resume | Offer | Microphone;
type JsonFromServer = Welcome | Said | Drawn | LanguageChosen | Moved | Present | Beat | Refused | Answer;
type Yjs = SyncStep1 | SyncStep2 | Edit | Awareness | AskAwareness;

export type ClientMessage = Yjs | JsonFromClient;
export type ServerMessage = SyncStep1 | SyncStep2 | Edit | Awareness | JsonFromServer | Committed;
/** Logged, shown to others only after its commit, and counted by `Committed.saved`. */
export type DurableMessage = SyncStep2 | Edit | Say | Draw | ChooseLanguage | Move | Consent;
export type VolatileMessage = Exclude<ClientMessage, DurableMessage>;

// --- the kinds, and the forms of the JSON bodies -------------------------------------------------------

/** The first byte of each of Anteroom's own. */
export const KINDS = {
  Say: 16,
  Draw: 17,
  ChooseLanguage: 18,
  Move: 19,
  Consent: 20,
  Resume: 21,
  Offer: 22,
  Microphone: 23,
  Welcome: 48,
  Said: 49,
  Drawn: 50,
  LanguageChosen: 51,
  Moved: 52,
  Present: 53,
  Committed: 54,
  Beat: 55,
  Refused: 56,
  Answer: 57,
} as const satisfies Record<(JsonFromClient | JsonFromServer | Committed)["kind"], number>;

type Form = "text" | "whole" | "whole or nothing" | "flag" | "objects";
type Fields<Message> = Record<Exclude<keyof Message, "kind">, Form>;
type Forms<Union extends { kind: string }> = {
  [Kind in Union["kind"]]: Fields<Extract<Union, { kind: Kind }>>;
};

const FROM_CLIENT: Forms<JsonFromClient> = {
  Say: { key: "text", text: "text" },
  Draw: { elements: "objects" },
  ChooseLanguage: { language: "text", key: "text" },
  Move: { phase: "text" },
  Consent: { recording: "flag", key: "text" },
  Resume: { after_seq: "whole" },
  Offer: { sdp: "text" },
  Microphone: { state: "text" },
};

const FROM_SERVER: Forms<JsonFromServer> = {
  Welcome: {
    seat: "text",
    title: "text",
    phase: "text",
    language: "text",
    seq: "whole",
    at_ms: "whole",
    live_at_ms: "whole or nothing",
    ends_at_ms: "whole or nothing",
    seats: "objects",
    lines: "objects",
    elements: "objects",
  },
  Said: { seq: "whole", at_ms: "whole", seat: "text", key: "text", text: "text" },
  Drawn: { seq: "whole", elements: "objects" },
  LanguageChosen: { seq: "whole", at_ms: "whole", seat: "text", language: "text" },
  Moved: {
    seq: "whole",
    at_ms: "whole",
    seat: "text",
    phase: "text",
    live_at_ms: "whole or nothing",
    ends_at_ms: "whole or nothing",
  },
  Present: { seats: "objects" },
  Beat: { seq: "whole", at_ms: "whole" },
  Refused: { code: "text", sentence: "text", key: "text" },
  Answer: { sdp: "text" },
};

/** What a field holds when the frame leaves it out. */
const DEFAULTS: Record<string, Record<string, unknown>> = {
  Welcome: { lines: [], elements: [] },
  Refused: { key: "" },
};

// --- varints, as in lib0 ------------------------------------------------------------------------------

function writeVarint(number: number): number[] {
  const bytes: number[] = [];
  for (; number > 0x7f; number = Math.floor(number / 128)) bytes.push(0x80 | (number % 128));
  bytes.push(number);
  return bytes;
}

function readVarint(frame: Uint8Array, at: number): [number: number, behind: number] {
  let number = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = frame[at++];
    if (byte === undefined) throw new Malformed("a number has no end");
    number += (byte & 0x7f) * scale; // no bit shifts: they would cut at 32 bits
    if (byte < 0x80) break;
    if (scale >= 2 ** 49) throw new Malformed("a number is too long");
  }
  if (number > Number.MAX_SAFE_INTEGER) throw new Malformed("a number is too large");
  return [number, at];
}

function takeRest(frame: Uint8Array, at: number): Uint8Array {
  const [size, start] = readVarint(frame, at);
  if (start + size !== frame.length) throw new Malformed("a length does not fit the frame");
  return frame.subarray(start);
}

function withLength(head: number[], body: Uint8Array): Uint8Array<ArrayBuffer> {
  const start = [...head, ...writeVarint(body.length)];
  const frame = new Uint8Array(start.length + body.length);
  frame.set(start);
  frame.set(body, start.length);
  return frame;
}

// --- frames -------------------------------------------------------------------------------------------

/** Whether this message is logged and acknowledged. */
export function isDurable(message: ClientMessage): message is DurableMessage {
  switch (message.kind) {
    case "SyncStep2":
    case "Edit":
    case "Say":
    case "Draw":
    case "ChooseLanguage":
    case "Move":
    case "Consent":
      return true;
    case "SyncStep1":
    case "Awareness":
    case "AskAwareness":
    case "Resume":
    case "Offer":
    case "Microphone":
      return false;
  }
}

/** The frame of a message to the server. */
export function encode(message: ClientMessage): Uint8Array<ArrayBuffer> {
  switch (message.kind) {
    case "SyncStep1":
      return withLength([SYNC, 0], message.vector);
    case "SyncStep2":
      return withLength([SYNC, 1], message.update);
    case "Edit":
      return withLength([SYNC, 2], message.update);
    case "Awareness":
      return withLength([AWARENESS], message.update);
    case "AskAwareness":
      return new Uint8Array([ASK_AWARENESS]);
    default:
      return encodeJson(message, Object.keys(FROM_CLIENT[message.kind]));
  }
}

function encodeJson(message: JsonFromClient, names: string[]): Uint8Array<ArrayBuffer> {
  const values = message as Record<string, unknown>;
  const body = Object.fromEntries(names.map((name) => [name, values[name]]));
  const text = new TextEncoder().encode(JSON.stringify(body));
  const frame = new Uint8Array(1 + text.length);
  frame[0] = KINDS[message.kind];
  frame.set(text, 1);
  return frame;
}

/** The message in these bytes from the server. Throws Malformed. */
export function decode(frame: Uint8Array): ServerMessage {
  if (frame[0] === KINDS.Committed) {
    const [after_seq, second] = readVarint(frame, 1);
    const [seq, third] = readVarint(frame, second);
    const [saved, end] = readVarint(frame, third);
    if (end !== frame.length) throw new Malformed("bytes follow the frame");
    return { kind: "Committed", after_seq, seq, saved };
  }
  const message = decodeWith(frame, FROM_SERVER);
  if (message.kind === "AskAwareness") throw new Malformed("only a client asks for cursors");
  return message as ServerMessage;
}

/** What a server reads; the tests' server uses it. Throws Malformed. */
export function decodeFromClient(frame: Uint8Array): ClientMessage {
  return decodeWith(frame, FROM_CLIENT) as ClientMessage;
}

const NAMES = new Map<number, string>(Object.entries(KINDS).map(([name, number]) => [number, name]));
type AnyForms = Record<string, Record<string, Form>>;

function decodeWith(frame: Uint8Array, forms: AnyForms): { kind: string } {
  const [number, step] = frame;
  if (number === undefined) throw new Malformed("an empty frame");
  if (number === SYNC) {
    const kind = STEPS[step ?? -1];
    if (kind === undefined) throw new Malformed("no such sync step");
    const rest = takeRest(frame, 2);
    const message: SyncStep1 | SyncStep2 | Edit =
      kind === "SyncStep1" ? { kind, vector: rest } : { kind, update: rest };
    return message;
  }
  if (number === AWARENESS) return { kind: "Awareness", update: takeRest(frame, 1) } as Awareness;
  if (number === ASK_AWARENESS) {
    if (frame.length !== 1) throw new Malformed("bytes follow the frame");
    return { kind: "AskAwareness" };
  }
  const kind = NAMES.get(number);
  const fields = kind === undefined ? undefined : forms[kind];
  if (kind === undefined || fields === undefined) throw new Malformed(`no message of kind ${number}`);
  return fromJson(kind, fields, frame.subarray(1));
}

function fromJson(kind: string, fields: Record<string, Form>, body: Uint8Array): { kind: string } {
  const values = parse(kind, body);
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(fields, name)) throw new Malformed(`${kind} has a field it does not know`);
  }
  const message: Record<string, unknown> & { kind: string } = { kind };
  for (const [name, form] of Object.entries(fields)) {
    const value = Object.hasOwn(values, name) ? values[name] : DEFAULTS[kind]?.[name];
    if (value === undefined) throw new Malformed(`${kind} lacks ${name}`);
    if (!fits(value, form)) throw new Malformed(`${kind}.${name} is of the wrong type`);
    message[name] = value;
  }
  return message;
}

function parse(kind: string, body: Uint8Array): Record<string, unknown> {
  let values: unknown;
  try {
    values = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Malformed(`${kind} is not JSON`);
  }
  if (!isObject(values)) throw new Malformed(`${kind} is not an object`);
  return values;
}

function fits(value: unknown, form: Form): boolean {
  switch (form) {
    case "text":
      return typeof value === "string";
    case "whole":
      return Number.isInteger(value);
    case "whole or nothing":
      return value === null || Number.isInteger(value);
    case "flag":
      return typeof value === "boolean";
    case "objects":
      return Array.isArray(value) && value.every(isObject);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Random 128 bits; randomUUID would need https. */
export function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

// --- close codes --------------------------------------------------------------------------------------

export const CLOSE_CODES: Record<number, string> = {
  1000: "done",
  1009: "frame_too_large",
  1012: "restarting",
  1013: "try_again",
  4400: "bad_frame",
  4401: "signed_out",
  4404: "no_such_room",
  4410: "room_ended",
  4413: "code_too_long",
  4429: "too_many_sockets",
  4508: "too_slow",
};

/** After these the page stays closed: coming back would end the same way, or is not wanted. */
const FINAL = new Set([1000, 1009, 4400, 4401, 4403, 4404, 4409, 4410, 4413, 4429]);

/** Whether the page reconnects by itself after this close code (1006 and what a proxy may invent included). */
export function isFinal(closeCode: number): boolean {
  return FINAL.has(closeCode);
}
