/** Short words at the lower edge: what was refused, what happened. They leave by themselves and steal no focus. */
import { element, make } from "./page";

const SHOWN_MS = 6_000;

export function toast(words: string): void {
  const toasts = element("toasts");
  for (const shown of toasts.children) if (shown.textContent === words) shown.remove();
  const shown = make("p", "toast", words);
  toasts.append(shown);
  setTimeout(() => shown.remove(), SHOWN_MS + 40 * words.length);
}
