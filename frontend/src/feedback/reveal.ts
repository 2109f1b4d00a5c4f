/** After sending: wait for the reveal, and choose what to show when both unmask. */
import { call } from "../api";
import { type FeedbackPage, redraw } from "./page";

const LOOK_EVERY_MS = 4_000;
const LOOK_SELDOM_MS = 60_000;
/** After this long without news a page looks seldom; coming back to it looks at once. */
const PATIENCE_MS = 10 * 60_000;

type Glance = Pick<FeedbackPage, "state" | "unmask">;

/** Whether the other side can still change what this page shows. */
export function mayChange(page: Glance): boolean {
  return page.state === "waiting" || (page.state === "revealed" && page.unmask === "chosen");
}

/** Look now and then whether there is news, and show it. Asks for this side's own standing only. */
export function watch(page: FeedbackPage, onMoved: () => void): void {
  if (!mayChange(page)) return;
  const since = Date.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const plan = () => {
    clearTimeout(timer);
    timer = setTimeout(look, Date.now() - since < PATIENCE_MS ? LOOK_EVERY_MS : LOOK_SELDOM_MS);
  };
  const look = async () => {
    if (document.visibilityState === "hidden") return; // becoming visible looks again
    const now = await call<Glance>("GET", page.urls.glance).catch(() => null);
    const isNews = now !== null && (now.state !== page.state || now.unmask !== page.unmask);
    if (!isNews || !(await redraw())) return plan();
    document.removeEventListener("visibilitychange", onVisible);
    onMoved();
  };
  const onVisible = () => {
    clearTimeout(timer);
    void look();
  };
  document.addEventListener("visibilitychange", onVisible);
  plan();
}

/** Show, while one chooses, exactly what the other side would see. */
export function previewIdentity(form: HTMLFormElement): void {
  const preview = form.querySelector<HTMLElement>("#preview");
  if (!preview) return;
  const draw = () => {
    let shown = 0;
    for (const row of preview.querySelectorAll<HTMLElement>("[data-preview]")) {
      const name = row.dataset.preview ?? "";
      const value = shownValue(form, name);
      const words = row.querySelector("dd");
      if (words) words.textContent = value;
      row.hidden = value === "";
      if (value) shown += 1;
    }
    const empty = preview.querySelector<HTMLElement>(".identity-empty");
    if (empty) empty.hidden = shown > 0;
  };
  form.addEventListener("input", (event) => {
    tickWhatIsTyped(form, event.target);
    draw();
  });
  preview.hidden = false;
  draw();
}

/** The value of a field if it is ticked, else "". */
function shownValue(form: HTMLFormElement, name: string): string {
  const ticked = form.querySelector<HTMLInputElement>(`[name="show_${name}"]`)?.checked;
  const field = form.querySelector<HTMLInputElement | HTMLTextAreaElement>(`[name="${name}"]`);
  return ticked ? (field?.value.trim() ?? "") : "";
}

/** Who types into a field means to show it. */
function tickWhatIsTyped(form: HTMLFormElement, target: EventTarget | null): void {
  if (!(target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement)) return;
  if (target.type === "checkbox") return;
  const box = form.querySelector<HTMLInputElement>(`[name="show_${target.name}"]`);
  if (box) box.checked = target.value.trim() !== "";
}
