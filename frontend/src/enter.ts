/**
 * The pages behind a link with a secret (/enter/ and /join/).
 *
 * The secret stands behind the # of the address, which no browser sends to a server. It goes into the form,
 * and only the person's press of the button posts it.
 */

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
  form.querySelector("[data-keep-secret]")?.addEventListener("click", () => {
    sessionStorage.setItem(KEPT, secret);
  });
}

const form = document.querySelector<HTMLFormElement>("#with-secret");
const half = document.querySelector<HTMLElement>("#without-secret");
if (form && half) openLink(form, half);

// The same page with another secret: browsers do not load it anew.
window.addEventListener("hashchange", () => location.reload());
