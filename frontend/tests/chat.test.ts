import { beforeEach, expect, it, vi } from "vitest";
import { Chat, withCode } from "../src/room/chat";
import { RoomClock } from "../src/room/clock";
import { Presence } from "../src/room/presence";
import type { Line, Say } from "../src/wire";
import { openPage } from "./page";

let chat: Chat;
let sent: Say[];
let shown: boolean;

const seat = (role: "candidate" | "interviewer", mask: string) => ({
  seat: role,
  mask,
  here: true,
  recording: false,
  microphone: "off" as const,
});
const line = (seq: number, text: string, more: Partial<Line> = {}): Line => ({
  seq,
  at_ms: seq * 1000,
  seat: "interviewer",
  key: `k${seq}`,
  text,
  ...more,
});
const box = () => document.getElementById("line") as HTMLTextAreaElement;
const texts = () => [...document.querySelectorAll("#lines .line-text")].map((each) => each.textContent);
const write = (text: string) => {
  box().value = text;
  box().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
};

beforeEach(() => {
  openPage();
  sent = [];
  shown = true;
  const presence = new Presence("candidate");
  presence.show([seat("candidate", "Amber Heron"), seat("interviewer", "Cobalt Otter")]);
  chat = new Chat({
    mine: "candidate",
    names: ["Anna"],
    clock: new RoomClock(),
    presence,
    send: (message) => sent.push(message),
    isShown: () => shown,
  });
  chat.setWritable(true);
});

it("shows lines in the order of the room, each once, under the mask of its seat", () => {
  for (const each of [line(5, "third"), line(2, "first"), line(4, "second"), line(2, "first")])
    chat.said(each);
  expect(texts()).toEqual(["first", "second", "third"]);
  expect(document.querySelector(".line-mask")?.textContent).toBe("Cobalt Otter");
});

it("shows one's own line at once, and once only when it has its place", () => {
  write("hello");
  expect(box().value).toBe("");
  expect(document.querySelectorAll(".line-pending")).toHaveLength(1);
  chat.said(line(3, "hi"));
  expect(texts()).toEqual(["hi", "hello"]); // what has its place stands before what waits
  chat.said(line(4, "hello", { seat: "candidate", key: sent[0]?.key ?? "" }));
  expect(texts()).toEqual(["hi", "hello"]);
  expect(document.querySelectorAll(".line-pending")).toHaveLength(0);
});

it("does not take another's line with the same key for its own", () => {
  write("hello");
  chat.said(line(3, "hello", { key: sent[0]?.key ?? "" }));
  expect(document.querySelectorAll(".line-pending")).toHaveLength(1);
  expect(texts()).toHaveLength(2);
});

it("gives a refused line back", () => {
  write("too much");
  expect(chat.refused("not mine", "bad_line", "")).toBe(false);
  expect(chat.refused(sent[0]?.key ?? "", "bad_line", "")).toBe(true);
  expect(document.querySelector(".line-why")?.textContent).toContain("Not sent.");
  document.querySelector<HTMLButtonElement>(".line-again")?.click();
  expect(box().value).toBe("too much");
  expect(texts()).toEqual([]);
});

it("asks before a mask slips, and sends all the same if told so", async () => {
  const dialog = document.getElementById("guard-dialog") as HTMLDialogElement;
  dialog.showModal = vi.fn();
  write("I am Anna");
  expect(dialog.showModal).toHaveBeenCalledOnce();
  expect(document.getElementById("guard-words")?.textContent).toBe("your name or employer");
  expect(sent).toEqual([]);
  dialog.returnValue = "";
  dialog.dispatchEvent(new Event("close"));
  await vi.waitFor(() => expect(document.activeElement).toBe(box()));
  expect(sent).toEqual([]);
  expect(box().value).toBe("I am Anna"); // to be changed
  write("I am Anna");
  dialog.returnValue = "yes";
  dialog.dispatchEvent(new Event("close"));
  await vi.waitFor(() => expect(sent.map(({ text }) => text)).toEqual(["I am Anna"]));
});

it("marks what came unseen", () => {
  const news = document.getElementById("chat-news") as HTMLElement;
  chat.said(line(1, "seen"));
  expect(news.hidden).toBe(true);
  shown = false;
  chat.said(line(2, "unseen"));
  expect(news.hidden).toBe(false);
  chat.seen();
  expect(news.hidden).toBe(true);
});

it("writes nothing while the room takes nothing", () => {
  chat.setWritable(false);
  write("hello");
  expect(sent).toEqual([]);
});

it("shows code as code and everything else as text", () => {
  const parts = withCode("use `a<b>` not <b>`x`</b> or ``");
  expect(parts.map((part) => (typeof part === "string" ? part : (part as HTMLElement).outerHTML))).toEqual([
    "use ",
    "<code>a&lt;b&gt;</code>",
    " not <b>",
    "<code>x</code>",
    "</b> or ``",
  ]);
});
