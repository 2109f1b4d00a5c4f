import { undo } from "@codemirror/commands";
import { EditorView, runScopeHandlers } from "@codemirror/view";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Code, MAX_INSERT_BYTES } from "../src/room/code";
import { LANGUAGES } from "../src/room/languages";
import { type ClientMessage, encode, MAX_FRAME_BYTES } from "../src/wire";
import { ROOM_HTML } from "./page";

interface Side {
  code: Code;
  view: EditorView;
  sent: ClientMessage[];
  refused: number;
}

let sides: [Side, Side];

/** Two editors; each hears at once what the other sends, as the room would pass it on. */
function open(place: number): Side {
  const parent = document.createElement("div");
  document.body.append(parent);
  const side = { sent: [], refused: 0 } as unknown as Side;
  side.code = new Code({
    parent,
    language: "python",
    send: (message) => {
      side.sent.push(message);
      if (message.kind === "Edit") sides[1 - place]?.code.receive(message);
    },
    onTooMuch: () => {
      side.refused += 1;
    },
    onPlace: () => undefined,
  });
  side.view = EditorView.findFromDOM(parent.querySelector(".cm-editor") as HTMLElement) as EditorView;
  side.code.setWritable(true);
  return side;
}

const insert = ({ view }: Side, at: number, text: string) =>
  view.dispatch({ changes: { from: at, insert: text }, userEvent: "input.type" });
const text = ({ view }: Side) => view.state.doc.toString();
const press = ({ view }: Side, key: string) =>
  runScopeHandlers(view, new KeyboardEvent("keydown", { key, ctrlKey: true }), "editor");

beforeEach(() => {
  vi.useFakeTimers();
  sides = [open(0), open(1)];
});

afterEach(() => {
  for (const { view } of sides) view.destroy();
  vi.useRealTimers();
});

it("shows both sides the same", () => {
  const [mine, theirs] = sides;
  insert(mine, 0, "one\n");
  insert(theirs, 4, "two\n");
  insert(mine, 0, "zero\n");
  expect(text(mine)).toBe("zero\none\ntwo\n");
  expect(text(theirs)).toBe(text(mine));
});

it("undoes only one's own edits", () => {
  const [mine, theirs] = sides;
  insert(mine, 0, "mine ");
  insert(theirs, 5, "theirs ");
  expect(press(mine, "z")).toBe(true);
  expect(text(mine)).toBe("theirs ");
  press(mine, "z");
  expect(text(mine)).toBe("theirs "); // there is nothing of mine left to undo
  press(theirs, "z");
  expect(text(theirs)).toBe("");
  press(mine, "y");
  expect(text(theirs)).toBe("mine ");
  expect(undo(mine.view)).toBe(false); // the editor's own history, which would undo the others', is not there
});

it("holds back what is too much at once before it is in the document", () => {
  const [mine, theirs] = sides;
  insert(mine, 0, "ü".repeat(MAX_INSERT_BYTES / 2 + 1));
  expect(mine.refused).toBe(1);
  expect(text(mine)).toBe("");
  expect(mine.sent.filter(({ kind }) => kind === "Edit")).toEqual([]);
  insert(mine, 0, "x".repeat(MAX_INSERT_BYTES));
  expect(text(theirs)).toHaveLength(MAX_INSERT_BYTES);
});

it("sends frames that fit, even when a large deletion is undone", () => {
  const [mine, theirs] = sides;
  for (let times = 0; times < 5; times += 1) insert(theirs, 0, "x".repeat(MAX_INSERT_BYTES));
  mine.view.dispatch({ changes: { from: 0, to: mine.view.state.doc.length }, userEvent: "delete.selection" });
  expect(text(theirs)).toBe("");
  press(mine, "z");
  expect(text(theirs)).toHaveLength(5 * MAX_INSERT_BYTES);
  for (const message of mine.sent) expect(encode(message).length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
});

it("keeps places right when the text holds a carriage return", () => {
  const [mine, theirs] = sides;
  theirs.code.doc.getText("code").insert(0, "a\r\nb");
  insert(mine, text(mine).length, "!");
  expect(theirs.code.doc.getText("code").toString()).toBe("a\r\nb!");
  expect(text(theirs)).toBe("a\r\nb!");
});

it("tells its cursor and draws the other's under its mask", () => {
  const [mine, theirs] = sides;
  mine.code.welcome();
  vi.advanceTimersByTime(100);
  expect(mine.sent.some(({ kind }) => kind === "Awareness")).toBe(true);
  insert(mine, 0, "some code");
  const cursor = { type: null, tname: "code", item: null, assoc: 0 };
  const state = JSON.stringify({
    user: { name: "Cobalt <i>Otter</i>", seat: "interviewer" },
    cursor: { anchor: cursor, head: cursor },
  });
  const bytes = new TextEncoder().encode(state);
  theirs.code.receive({
    kind: "Awareness",
    update: Uint8Array.from([1, 7, 1, 0x80 | (bytes.length & 127), bytes.length >> 7, ...bytes]),
  });
  const caret = theirs.view.dom.querySelector<HTMLElement>(".caret");
  expect(caret?.dataset.mask).toBe("Cobalt <i>Otter</i>");
  expect(caret?.dataset.seat).toBe("interviewer");
  expect(caret?.textContent).toBe("");
});

it("reads every language that a room can be written in", async () => {
  vi.useRealTimers();
  const { readFileSync } = await import("node:fs");
  const python = readFileSync(`${import.meta.dirname}/../../rooms/live/languages.py`, "utf8");
  const keys = [...python.matchAll(/Language\("(\w+)"/g)].map(([, key]) => key);
  expect(Object.keys(LANGUAGES)).toEqual(keys);
  for (const { load } of Object.values(LANGUAGES)) expect((await load()).language.name).toBeTruthy();
});

it("finds in room.html every element it asks for", async () => {
  const { readdirSync, readFileSync } = await import("node:fs");
  const source = `${import.meta.dirname}/../src/`;
  const scripts = ["room", "lobby"].flatMap((folder) =>
    readdirSync(source + folder).map((name) => readFileSync(`${source}${folder}/${name}`, "utf8")),
  );
  const wanted = scripts
    .flatMap((script) => [...script.matchAll(/\belement(?:<\w+>)?\("([\w-]+)"\)/g)])
    .map(([, id]) => id);
  expect(wanted.length).toBeGreaterThan(30);
  const there = new Set([...ROOM_HTML.matchAll(/\bid="([\w-]+)"/g)].map(([, id]) => id));
  expect(wanted.filter((id) => id !== "page" && !there.has(id as string))).toEqual([]);
});
