/** The form while it is written: drafts kept, characters counted, the mask guarded, the last step confirmed. */
import { call, type Problem } from "../api";
import { findings } from "../guard";
import { type FeedbackPage, redraw } from "./page";

const QUIET_MS = 700;
/** How long one pauses in writing before the draft is kept; a choice is kept at once. */
const FIRST_RETRY_MS = 2_000;
const MAX_RETRY_MS = 30_000;

export type Answers = Record<string, boolean | number | string | null>;

/** The answers given so far; what is still open is absent. */
export function collect(form: HTMLFormElement): Answers {
  const answers: Answers = {};
  for (const question of form.querySelectorAll<HTMLElement>(".question")) {
    const name = question.dataset.name ?? "";
    if (question.dataset.kind === "text") {
      answers[name] = question.querySelector("textarea")?.value ?? "";
      continue;
    }
    const chosen = question.querySelector<HTMLInputElement>("input:checked");
    if (!chosen) continue;
    if (question.dataset.kind === "yesno") answers[name] = chosen.value === "true";
    else answers[name] = chosen.value === "" ? null : Number(chosen.value);
  }
  return answers;
}

/** What still lacks, by question, in words. The server checks again; this only spares a round trip. */
export function lacking(form: HTMLFormElement): Record<string, string> {
  const answers = collect(form);
  const lacks: Record<string, string> = {};
  for (const question of form.querySelectorAll<HTMLElement>(".question")) {
    const name = question.dataset.name ?? "";
    const answer = answers[name];
    if (question.dataset.kind === "text") {
      const least = leastOf(question);
      const missing = least - String(answer).trim().length;
      if (missing > 0) lacks[name] = `A little more, please: ${characters(missing)} to go.`;
    } else if (question.dataset.required !== undefined && answer === undefined) {
      lacks[name] = question.dataset.kind === "yesno" ? "Choose yes or no." : "Choose one of the four.";
    }
  }
  return lacks;
}

function leastOf(question: HTMLElement): number {
  return Number(question.querySelector("textarea")?.dataset.least ?? 0);
}

function characters(count: number): string {
  return count === 1 ? "1 character" : `${count} characters`;
}

export class AnswerForm {
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private saving: Promise<void> | undefined;
  private dirty = false;
  private closed = false;
  private retryMs = FIRST_RETRY_MS;
  /** Ends the listeners outside of the form once the page has moved on. */
  private readonly gone = new AbortController();
  /** Ends the question before, should it be asked again. */
  private asked: AbortController | undefined;

  constructor(
    private readonly form: HTMLFormElement,
    private readonly page: FeedbackPage,
    private readonly onMoved: () => void,
  ) {
    for (const textarea of form.querySelectorAll("textarea")) this.count(textarea);
    form.addEventListener("input", (event) => this.changed(event.target));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send();
    });
    const lastChance = () => {
      if (document.visibilityState === "hidden") this.keepAtOnce();
    };
    const { signal } = this.gone;
    document.addEventListener("visibilitychange", lastChance, { signal });
    const warn = (event: BeforeUnloadEvent) => {
      if (this.dirty && !this.closed) event.preventDefault();
    };
    window.addEventListener("beforeunload", warn, { signal });
  }

  // --- drafts

  private changed(target: EventTarget | null): void {
    if (target instanceof HTMLTextAreaElement) this.count(target);
    const question = target instanceof Element ? target.closest<HTMLElement>(".question") : null;
    if (question) this.complain(question, "");
    this.dirty = true;
    this.say("");
    this.keepSoon(target instanceof HTMLTextAreaElement ? QUIET_MS : 0);
  }

  private keepSoon(afterMs: number): void {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => void this.keep(), afterMs);
  }

  /** Keep the draft; calls never overlap, so an older one cannot overwrite a newer one. */
  private async keep(): Promise<void> {
    if (this.saving) await this.saving;
    if (!this.dirty || this.closed) return;
    this.saving = this.keepOnce().finally(() => {
      this.saving = undefined;
    });
    await this.saving;
  }

  private async keepOnce(): Promise<void> {
    this.dirty = false;
    this.say("Saving…");
    try {
      await call("PUT", this.page.urls.draft, collect(this.form));
      this.retryMs = FIRST_RETRY_MS;
      if (!this.dirty) this.say("Draft saved");
    } catch (problem) {
      await this.notKept(problem as Problem);
    }
  }

  private async notKept(problem: Problem): Promise<void> {
    if (problem.code === "already_submitted" || problem.code === "too_late") return this.moveOn();
    this.dirty = true;
    if (problem.code === "unusable") {
      this.showProblems(problem);
      this.say("Not saved: a field needs a second look");
      return;
    }
    this.say(`Not saved yet. ${problem.sentence}`);
    this.keepSoon(this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, MAX_RETRY_MS);
  }

  /** The page may go away now: send what is unsaved without waiting for the answer. */
  private keepAtOnce(): void {
    if (!this.dirty || this.closed || this.saving) return;
    clearTimeout(this.waiting);
    void call("PUT", this.page.urls.draft, collect(this.form), { keepalive: true })
      .then(() => this.say("Draft saved"))
      .catch(() => this.keepSoon(FIRST_RETRY_MS));
    this.dirty = false;
  }

  private say(words: string): void {
    const saved = document.querySelector("#saved");
    if (saved && saved.textContent !== words) saved.textContent = words;
  }

  // --- sending

  private async send(): Promise<void> {
    const lacks = lacking(this.form);
    for (const question of this.form.querySelectorAll<HTMLElement>(".question")) {
      this.complain(question, lacks[question.dataset.name ?? ""] ?? "");
    }
    if (this.showFirstComplaint() || !(await this.confirmed())) return;
    clearTimeout(this.waiting);
    this.closed = true;
    this.say("Sealing…");
    const button = this.form.querySelector<HTMLButtonElement>("button[value=submit]");
    if (button) button.disabled = true;
    try {
      await this.saving; // a draft under way must not arrive after the submission
      await call("POST", this.page.urls.submission, collect(this.form));
      await this.moveOn();
    } catch (problem) {
      this.closed = false;
      if (button) button.disabled = false;
      await this.notSent(problem as Problem);
    }
  }

  private async notSent(problem: Problem): Promise<void> {
    const settled = ["already_submitted", "too_late", "assess_first"];
    if (settled.includes(problem.code)) return this.moveOn();
    this.showProblems(problem);
    this.dirty = true;
    this.say(`Not sent. ${problem.sentence}`);
  }

  private async moveOn(): Promise<void> {
    this.closed = true;
    this.gone.abort();
    if (await redraw()) this.onMoved();
    else location.reload();
  }

  /** Ask once more, with a warning if the text shows who wrote it. It never forbids. */
  private confirmed(): Promise<boolean> {
    const dialog = document.querySelector<HTMLDialogElement>("#confirm");
    if (!dialog) return Promise.resolve(true);
    const found = this.findings();
    const warning = dialog.querySelector<HTMLElement>("#warning");
    const list = dialog.querySelector<HTMLElement>("#findings");
    if (warning) warning.hidden = found.length === 0;
    list?.replaceChildren(
      ...found.map((finding) => {
        const item = document.createElement("li");
        item.textContent = finding;
        return item;
      }),
    );
    dialog.returnValue = "";
    dialog.showModal();
    // A browser tells of a closing a moment later, when the dialog may be open again.
    this.asked?.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(false));
      const closed = () => dialog.open || resolve(dialog.returnValue === "send");
      dialog.addEventListener("close", closed, { signal });
    });
  }

  /** What the text that goes to the other side gives away; the note to moderators stays among them. */
  private findings(): string[] {
    const texts = [...this.form.querySelectorAll<HTMLTextAreaElement>("textarea:not([data-private])")];
    return findings(texts.map((each) => each.value).join("\n"), this.page.guard?.names ?? []);
  }

  // --- words beside the fields

  private showProblems(problem: Problem): void {
    for (const question of this.form.querySelectorAll<HTMLElement>(".question")) {
      const sentences = problem.fields[question.dataset.name ?? ""];
      if (sentences) this.complain(question, sentences.join(" "));
    }
    this.showFirstComplaint();
  }

  private complain(question: HTMLElement, sentence: string): void {
    const error = question.querySelector(".question-error");
    if (error) error.textContent = sentence;
    for (const field of question.querySelectorAll("textarea, input")) {
      if (sentence) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }

  /** Lead to the first field that needs a second look; whether there is one. */
  private showFirstComplaint(): boolean {
    const field = this.form.querySelector<HTMLElement>("[aria-invalid=true]");
    field?.focus({ preventScroll: true });
    field?.closest(".question")?.scrollIntoView({ block: "center" });
    return field !== null;
  }

  private count(textarea: HTMLTextAreaElement): void {
    const least = Number(textarea.dataset.least ?? 0);
    const counter = textarea.closest(".question")?.querySelector<HTMLElement>(".question-count");
    if (!counter) return;
    const written = textarea.value.trim().length;
    const left = textarea.maxLength - textarea.value.length;
    counter.classList.toggle("is-enough", least > 0 && written >= least);
    if (left < 200) counter.textContent = `${characters(left)} left`;
    else if (least === 0) counter.textContent = "";
    else if (written < least) counter.textContent = `${written} of at least ${least} characters`;
    else counter.textContent = "Long enough";
  }
}
