/** What the server wrote into the page, and the way to the page's elements. */
import type { Role } from "../wire";

export type Stage = "lobby" | "room";

export interface Page {
  room_id: string;
  seat: Role;
  mask: string;
  title: string;
  language: string;
  languages: { key: string; name: string }[];
  stage: Stage;
  urls: Record<"socket" | "feedback" | "transcript" | "home" | "lobby" | "room", string>;
  /** The waiting link for the other seat, for who opened the room. */
  invitation_url: string | null;
  /** The reader's own name and employer, for the mask guard. */
  guard?: { names: string[] };
}

export function readPage(): Page {
  return JSON.parse(element("page").textContent ?? "") as Page;
}

/** The element with this id; room.html has it. */
export function element<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`room.html lacks #${id}`);
  return found as Kind;
}

/** A new element with this class and content. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = "",
  ...content: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}
