/** Lines of talk in the order of the server. Own lines show at once, pale until they have their place. */
import { findings } from "../guard";
import { sayLine } from "../say";
import { type Line, type Role, randomKey, type Say } from "../wire";
import type { RoomClock } from "./clock";
import { element, make } from "./page";
import type { Presence } from "./presence";

/** Lines of one side within this time stand under one name. */
const GROUP_MS = 3 * 60_000;
/** So near to the end a new line scrolls into view; further up somebody is reading. */
const NEAR_END_PX = 80;

export interface ChatOptions {
  mine: Role;
  /** The writer's own name and employer. */
  names: readonly string[];
  clock: RoomClock;
  presence: Presence;
  send(message: Say): void;
  isShown(): boolean;
}

export class Chat {
  #options: ChatOptions;
  #lines = element("lines");
  #scroll = this.#lines.parentElement as HTMLElement;
  #box = element<HTMLTextAreaElement>("line");
  #bySeq = new Map<number, HTMLElement>();
  #pending = new Map<string, { line: Say; shown: HTMLElement }>();
  #last: { seq: number; seat: string; at_ms: number } | null = null;

  constructor(options: ChatOptions) {
    this.#options = options;
    element("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.#submit();
    });
    this.#box.addEventListener("input", () => this.#fit());
  }

  /** A line has its place. Lines may come again, and several of them late. */
  said(line: Line): void {
    const mine = line.seat === this.#options.mine;
    const pending = mine ? this.#pending.get(line.key) : undefined;
    pending?.shown.remove();
    this.#pending.delete(mine ? line.key : "");
    if (this.#bySeq.has(line.seq)) return;
    const stays = this.#isNearEnd() || pending !== undefined;
    const shown = this.#show(line.seat, line.text, line.at_ms);
    this.#bySeq.set(line.seq, shown);
    if (this.#last === null || line.seq > this.#last.seq) {
      const { at_ms, seat } = this.#last ?? { at_ms: Number.NEGATIVE_INFINITY, seat: "" };
      shown.classList.toggle("line-goes-on", seat === line.seat && line.at_ms - at_ms < GROUP_MS);
      this.#last = { seq: line.seq, seat: line.seat, at_ms: line.at_ms };
      this.#lines.insertBefore(shown, this.#lines.querySelector(".line-pending"));
    } else {
      const later = [...this.#bySeq.keys()].filter((seq) => seq > line.seq);
      this.#lines.insertBefore(shown, this.#bySeq.get(Math.min(...later)) ?? null);
    }
    if (stays) this.#toEnd();
    if (!mine && !this.#options.isShown()) element("chat-news").hidden = false;
  }

  /** The room would not take this line: it says why and goes back to its writer. */
  refused(key: string, code: string, sentence: string): boolean {
    const pending = this.#pending.get(key);
    if (pending === undefined) return false;
    this.#pending.delete(key);
    const { shown, line } = pending;
    shown.classList.add("line-refused");
    const again = make("button", "line-again", "Put it back");
    again.type = "button";
    again.addEventListener("click", () => {
      shown.remove();
      this.#box.value = [this.#box.value, line.text].filter(Boolean).join("\n");
      this.#fit();
      this.#box.focus();
    });
    shown.append(make("p", "line-why", `Not sent. ${sayLine(code, sentence)} `, again));
    return true;
  }

  setWritable(writable: boolean): void {
    this.#box.disabled = !writable;
  }

  /** It is on the screen again. */
  seen(): void {
    element("chat-news").hidden = true;
    this.#toEnd();
  }

  async #submit(): Promise<void> {
    const text = this.#box.value.trim();
    if (text === "" || this.#box.disabled) return;
    const found = findings(text, this.#options.names);
    if (found.length > 0 && !(await confirmed(found))) return this.#box.focus();
    const line: Say = { kind: "Say", key: randomKey(), text };
    const shown = this.#show(this.#options.mine, text, this.#options.clock.now_ms());
    shown.classList.add("line-pending");
    this.#pending.set(line.key, { line, shown });
    this.#lines.append(shown);
    this.#box.value = "";
    this.#fit();
    this.#toEnd();
    this.#options.send(line);
  }

  #show(seat: string, text: string, at_ms: number): HTMLElement {
    element("chat-empty").hidden = true;
    const at = this.#options.clock.wallTime(at_ms);
    const time = make("time", "line-time", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = at.toISOString();
    const head = make("p", "line-head", make("span", `mask-dot mask-dot-${seat}`));
    head.append(make("b", "line-mask", this.#options.presence.maskOf(seat)), time);
    const shown = make("div", "line", head, make("p", "line-text", ...withCode(text)));
    shown.dataset.seat = seat;
    return shown;
  }

  #fit(): void {
    this.#box.style.height = "auto";
    this.#box.style.height = `${Math.min(this.#box.scrollHeight + 2, 160)}px`;
  }

  #isNearEnd(): boolean {
    return this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight < NEAR_END_PX;
  }

  #toEnd(): void {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }
}

/** `spans` in backticks as code; everything else, links too, as text. */
export function withCode(text: string): (Node | string)[] {
  const parts = text.split(/(`[^`\n]+`)/).filter(Boolean);
  return parts.map((part) => (/^`[^`]+`$/.test(part) ? make("code", "", part.slice(1, -1)) : part));
}

function confirmed(found: string[]): Promise<boolean> {
  const dialog = element<HTMLDialogElement>("guard-dialog");
  element("guard-words").textContent = new Intl.ListFormat("en").format(found);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }),
  );
}
