/**
 * The pages behind a link with a secret (/enter/ and /join/).
 *
 * The secret stands behind the # of the address, which no browser sends to a server. It goes into the form,
 * and only the person's press of the button posts it.
 */

import { momentInWords } from "./moments";

/** Where this tab keeps the secret while its person signs in first. */
const KEPT = "secret";

export function openLink(form: HTMLFormElement, half: HTMLElement): void {
  const secret = location.hash.slice(1) || sessionStorage.getItem(KEPT) || "";
  sessionStorage.removeItem(KEPT);
  const field = form.querySelector<HTMLInputElement>("input[name=secret]");
  if (!secret || !field) {
    half.hidden = false;
    return;
  }
  field.value = secret;
  form.hidden = false;
  form.querySelector("button")?.focus();
  if (form.dataset.look) void look(form.dataset.look, form);
  form.querySelector("[data-keep-secret]")?.addEventListener("click", () => {
    sessionStorage.setItem(KEPT, secret);
  });
}

/** Say what the invitation is for, or that it no longer works, before the button is pressed. */
async function look(url: string, form: HTMLFormElement): Promise<void> {
  const answer = await fetch(url, { method: "POST", body: new FormData(form) }).catch(() => null);
  const offer = document.querySelector<HTMLElement>("#offer");
  const spent = document.querySelector<HTMLElement>("#spent");
  const words = document.querySelector<HTMLElement>("#spent-words");
  if (!answer?.ok || !offer || !spent || !words) return; // the button still works
  const { refused, title, seat, starts_at, length_minutes } = await answer.json();
  if (!refused) {
    const when = momentInWords(new Date(starts_at), new Date(), "en-GB");
    offer.textContent = `“${title}”, as the ${seat}. ${when}, ${length_minutes} minutes.`;
  } else {
    words.textContent =
      refused === "seat_taken"
        ? "But you sit in this room already, so the link is for the other seat. Send it on; it still works."
        : "But this link was used already or has expired. Ask the person who sent it for a new one.";
    form.hidden = true;
    spent.hidden = false;
  }
}

const form = document.querySelector<HTMLFormElement>("#with-secret");
const half = document.querySelector<HTMLElement>("#without-secret");
if (form && half) openLink(form, half);

// The same page with another secret: browsers do not load it anew.
window.addEventListener("hashchange", () => location.reload());
