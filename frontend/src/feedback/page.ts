/** What the server tells this page's scripts, and how the page moves from one state to the next. */
import { wireForms } from "../forms";
import { showMoments } from "../moments";

export interface FeedbackPage {
  state: "assessing" | "answering" | "waiting" | "revealed" | "lapsed";
  unmask: "closed" | "open" | "chosen" | "mutual";
  urls: { glance: string; draft: string; submission: string };
  /** The reader's own words that would identify them; only while they write. */
  guard?: { names: string[] };
}

export function readPage(): FeedbackPage {
  return JSON.parse(document.querySelector("#page")?.textContent ?? "{}") as FeedbackPage;
}

/**
 * Draw the state the server now has in place of the one on screen, without losing the place.
 *
 * Resolves to false if the server could not be asked; nothing has changed then.
 */
export async function redraw(): Promise<boolean> {
  const response = await fetch(location.pathname, { credentials: "same-origin" }).catch(() => null);
  if (!response?.ok) return false;
  const next = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = next.querySelector("#exchange");
  const old = document.querySelector("#exchange");
  if (response.redirected || !fresh || !old) {
    location.reload(); // signed out meanwhile, or a page of another version
    return false;
  }
  const swap = () => {
    old.replaceWith(fresh);
    window.scrollTo(0, 0);
  };
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (document.startViewTransition && !calm) await document.startViewTransition(swap).updateCallbackDone;
  else swap();
  document.title = next.title;
  showMoments(fresh);
  wireForms(fresh);
  fresh.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true }); // says the new state aloud
  return true;
}
