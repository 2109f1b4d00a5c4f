/** "Saved", "Saving…", "Reconnecting…": what the connection knows, shown in the lobby and in the room alike. */
import type { Status } from "../connection";

const WORDS: Record<Status, string> = {
  connecting: "Connecting…",
  saved: "Saved",
  saving: "Saving…",
  reconnecting: "Reconnecting…",
  closed: "Closed",
};

/** A commit takes a few milliseconds; a word that flickers with every key would say less, not more. */
const CALM_MS = 400;
let calm: ReturnType<typeof setTimeout> | undefined;

export function showStatus(status: Status): void {
  clearTimeout(calm);
  if (status === "saving") calm = setTimeout(() => write(status), CALM_MS);
  else write(status);
}

function write(status: Status): void {
  for (const place of document.querySelectorAll<HTMLElement>(".connection")) {
    place.dataset.status = status;
    const words = place.querySelector(".connection-words");
    if (words) words.textContent = (status === "saved" && place.dataset.saved) || WORDS[status];
  }
}
