/** A new interview: the time is typed in the reader's zone and sent in UTC. */

export function sendInUtc(
  form: HTMLFormElement,
  typed: HTMLInputElement,
  sent: HTMLInputElement,
  zone: HTMLElement,
): void {
  if (!typed.value) typed.value = local(nextFullHour(new Date()));
  typed.min = local(new Date());
  zone.textContent = `In your time zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ")}.`;
  form.addEventListener("submit", () => {
    const at = new Date(typed.value);
    sent.value = Number.isNaN(at.getTime()) ? "" : at.toISOString();
  });
}

function nextFullHour(now: Date): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate(), now.getHours() + 2);
}

/** As an <input type="datetime-local"> wants it. */
function local(at: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

const form = document.querySelector<HTMLFormElement>("#new-room");
const typed = document.querySelector<HTMLInputElement>("#id_typed_at");
const sent = document.querySelector<HTMLInputElement>("#id_starts_at");
const zone = document.querySelector<HTMLElement>("#zone");

if (form && typed && sent && zone) sendInUtc(form, typed, sent, zone);
