/** The room's page as far as a test needs it: rooms/templates/rooms/room.html without what Django fills in. */
import { readFileSync } from "node:fs";

export const ROOM_HTML = readFileSync(`${import.meta.dirname}/../../rooms/templates/rooms/room.html`, "utf8");

export function openPage(): void {
  document.body.innerHTML = ROOM_HTML.replace(/\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}/gs, "");
}
