import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { call, Problem } from "../src/api";
import { AnswerForm, collect, lacking } from "../src/feedback/form";
import type { FeedbackPage } from "../src/feedback/page";
import { mayChange, previewIdentity, watch } from "../src/feedback/reveal";

const PAGE: FeedbackPage = {
  state: "answering",
  unmask: "closed",
  urls: { glance: "/glance", draft: "/draft", submission: "/submission" },
  guard: { names: ["Ada Canarywort"] },
};

const radios = (name: string, values: string[]) =>
  values.map((value) => `<label><input type="radio" name="${name}" value="${value}"></label>`).join("");

const FORM = `
  <form id="answers">
    <input type="hidden" name="csrfmiddlewaretoken" value="token">
    <fieldset class="question" data-name="advance" data-kind="yesno" data-required>
      ${radios("advance", ["true", "false"])}<span class="question-error"></span>
    </fieldset>
    <fieldset class="question" data-name="hints" data-kind="scale" data-required>
      ${radios("hints", ["1", "2", "3", "4", ""])}<span class="question-error"></span>
    </fieldset>
    <div class="question" data-name="text" data-kind="text">
      <textarea name="text" maxlength="8000" data-least="50"></textarea>
      <span class="question-error"></span><span class="question-count"></span>
    </div>
    <div class="question" data-name="note" data-kind="text">
      <textarea name="note" maxlength="8000" data-private></textarea>
      <span class="question-error"></span><span class="question-count"></span>
    </div>
    <button value="submit"></button>
    <p id="saved"></p>
  </form>
  <dialog id="confirm"><div id="warning" hidden><ul id="findings"></ul></div></dialog>`;

const LONG = "You explained every step, and the smallest test came first.";

let fetched: { method: string; url: string; body: unknown; token: string | undefined }[];
let answers: (() => Response | Promise<Response>)[];

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
const form = () => document.querySelector<HTMLFormElement>("#answers") as HTMLFormElement;
const field = (name: string) =>
  document.querySelector(`textarea[name=${name}], input[name=${name}]`) as HTMLTextAreaElement;
const saved = () => document.querySelector("#saved")?.textContent;
const errorOf = (name: string) =>
  document.querySelector(`[data-name=${name}] .question-error`)?.textContent ?? "";

function write(name: string, words: string): void {
  field(name).value = words;
  field(name).dispatchEvent(new Event("input", { bubbles: true }));
}

function choose(name: string, value: string): void {
  const radio = document.querySelector<HTMLInputElement>(`input[name=${name}][value="${value}"]`);
  if (!radio) throw new Error(`no ${name} ${value}`);
  radio.checked = true;
  radio.dispatchEvent(new Event("input", { bubbles: true }));
}

beforeEach(() => {
  vi.useFakeTimers();
  document.body.innerHTML = FORM;
  fetched = [];
  answers = [];
  vi.stubGlobal("fetch", (url: string, options: RequestInit = {}) => {
    const headers = options.headers as Record<string, string> | undefined;
    fetched.push({
      method: options.method ?? "GET",
      url,
      body: options.body ? JSON.parse(String(options.body)) : undefined,
      token: headers?.["X-CSRFToken"],
    });
    const answer = answers.shift();
    return Promise.resolve(answer ? answer() : json({ saved_at: "now" }));
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a call", () => {
  it("carries the token and the body, and returns the answer", async () => {
    answers = [() => json({ a: 1 })];
    expect(await call("PUT", "/draft", { text: "x" })).toEqual({ a: 1 });
    expect(fetched).toEqual([{ method: "PUT", url: "/draft", body: { text: "x" }, token: "token" }]);
  });

  it("makes one Problem of a refusal, of a lost connection and of nonsense", async () => {
    const refusal = { code: "unusable", detail: "A second look.", fields: { text: ["More."] } };
    answers = [
      () => json(refusal, 422),
      () => Promise.reject(new TypeError("network")),
      () => new Response("<html>", { status: 502 }),
    ];
    const problems: Problem[] = [];
    for (let i = 0; i < 3; i++) await call("GET", "/").catch((problem) => problems.push(problem as Problem));
    expect(problems.every((problem) => problem instanceof Problem)).toBe(true);
    expect(problems.map((problem) => problem.code)).toEqual(["unusable", "offline", "bug"]);
    expect(problems[0]?.fields).toEqual({ text: ["More."] });
    expect(problems.every((problem) => problem.sentence.length > 10)).toBe(true);
  });
});

describe("the answers", () => {
  it("are absent while open, and null where the question does not apply", () => {
    expect(collect(form())).toEqual({ text: "", note: "" });
    choose("advance", "false");
    choose("hints", "");
    expect(collect(form())).toEqual({ advance: false, hints: null, text: "", note: "" });
    choose("hints", "3");
    expect(collect(form()).hints).toBe(3);
  });

  it("lack what is open or too short, and nothing optional", () => {
    expect(Object.keys(lacking(form()))).toEqual(["advance", "hints", "text"]);
    choose("advance", "true");
    choose("hints", "");
    field("text").value = `${"x".repeat(49)}   `;
    expect(lacking(form())).toEqual({ text: "A little more, please: 1 character to go." });
    field("text").value = LONG;
    expect(lacking(form())).toEqual({});
  });
});

describe("a draft", () => {
  it("is kept when one pauses, in one call with all answers", async () => {
    new AnswerForm(form(), PAGE, () => {});
    write("text", "So");
    write("text", "So far");
    expect(saved()).toBe("");
    await vi.advanceTimersByTimeAsync(800);
    expect(fetched.map((each) => each.body)).toEqual([{ text: "So far", note: "" }]);
    expect(saved()).toBe("Draft saved");
  });

  it("is kept at once after a choice", async () => {
    new AnswerForm(form(), PAGE, () => {});
    choose("advance", "true");
    await vi.advanceTimersByTimeAsync(1);
    expect(fetched).toHaveLength(1);
  });

  it("says saved only of what is, and never sends two at a time", async () => {
    new AnswerForm(form(), PAGE, () => {});
    let finish = (_: Response) => {};
    answers = [
      () =>
        new Promise<Response>((resolve) => {
          finish = resolve;
        }),
    ];
    write("text", "First");
    await vi.advanceTimersByTimeAsync(800);
    write("text", "Second");
    await vi.advanceTimersByTimeAsync(800);
    expect(fetched).toHaveLength(1);
    finish(json({}));
    await vi.advanceTimersByTimeAsync(1);
    expect(fetched.map((each) => (each.body as { text: string }).text)).toEqual(["First", "Second"]);
    expect(saved()).toBe("Draft saved");
  });

  it("is tried again, less and less often, until it is kept", async () => {
    new AnswerForm(form(), PAGE, () => {});
    const offline = () => Promise.reject<Response>(new TypeError("network"));
    answers = [offline, offline];
    write("text", "So far");
    await vi.advanceTimersByTimeAsync(800);
    expect(saved()).toContain("Not saved yet");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(fetched).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(fetched).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(fetched).toHaveLength(3);
    expect(saved()).toBe("Draft saved");
  });

  it("shows beside the field what the server cannot keep", async () => {
    new AnswerForm(form(), PAGE, () => {});
    answers = [() => json({ code: "unusable", detail: "Look.", fields: { text: ["Too long."] } }, 422)];
    write("text", "x");
    await vi.advanceTimersByTimeAsync(800);
    expect(errorOf("text")).toBe("Too long.");
    write("text", "y");
    expect(errorOf("text")).toBe("");
  });
});

describe("the count", () => {
  it("leads to the minimum and speaks again near the maximum", () => {
    new AnswerForm(form(), PAGE, () => {});
    const count = () => document.querySelector("[data-name=text] .question-count")?.textContent;
    expect(count()).toBe("0 of at least 50 characters");
    write("text", LONG);
    expect(count()).toBe("Long enough");
    write("text", "x".repeat(7_999));
    expect(count()).toBe("1 character left");
  });
});

describe("sending", () => {
  function fill(): void {
    choose("advance", "true");
    choose("hints", "");
    write("text", LONG);
  }

  function press(returnValue: string): HTMLDialogElement {
    const dialog = document.querySelector("#confirm") as HTMLDialogElement;
    dialog.showModal = () => {
      dialog.returnValue = returnValue;
      queueMicrotask(() => dialog.dispatchEvent(new Event("close")));
    };
    form().dispatchEvent(new Event("submit", { cancelable: true }));
    return dialog;
  }

  const posts = () => fetched.filter((each) => each.method === "POST");

  it("first says what lacks, and asks nothing", async () => {
    new AnswerForm(form(), PAGE, () => {});
    press("send");
    await vi.advanceTimersByTimeAsync(1);
    expect(errorOf("advance")).toBe("Choose yes or no.");
    expect(errorOf("text")).toContain("50 characters to go");
    expect(document.activeElement).toBe(field("advance"));
    expect(posts()).toEqual([]);
  });

  it("sends nothing without a second yes", async () => {
    new AnswerForm(form(), PAGE, () => {});
    fill();
    press("back");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(posts()).toEqual([]);
  });

  it("takes the closing of an earlier question for no answer to a later one", async () => {
    new AnswerForm(form(), PAGE, () => {});
    fill();
    const dialog = document.querySelector("#confirm") as HTMLDialogElement;
    const submit = () => form().dispatchEvent(new Event("submit", { cancelable: true }));
    const close = () => dialog.dispatchEvent(new Event("close"));
    dialog.showModal = () => dialog.setAttribute("open", "");
    submit();
    dialog.removeAttribute("open"); // Escape; its event comes only after the next question
    submit();
    close();
    await vi.advanceTimersByTimeAsync(1);
    expect(posts()).toEqual([]);
    dialog.removeAttribute("open");
    dialog.returnValue = "send";
    close();
    await vi.advanceTimersByTimeAsync(1);
    expect(posts()).toHaveLength(1);
  });

  it("warns of what shows the writer, but not of the note, and lets it go", async () => {
    new AnswerForm(form(), PAGE, () => {});
    fill();
    write("note", "Ask me: me@example.org");
    const quiet = press("back");
    await vi.advanceTimersByTimeAsync(1);
    expect(quiet.querySelector<HTMLElement>("#warning")?.hidden).toBe(true);
    write("text", `${LONG} Canarywort, me@example.org`);
    const dialog = press("send");
    await vi.advanceTimersByTimeAsync(1);
    expect(dialog.querySelector<HTMLElement>("#warning")?.hidden).toBe(false);
    const found = [...dialog.querySelectorAll("#findings li")].map((item) => item.textContent);
    expect(found).toEqual(["an e-mail address", "your name or employer"]);
    expect(posts()).toHaveLength(1);
  });

  it("keeps the form and says why when it did not arrive", async () => {
    new AnswerForm(form(), PAGE, () => {});
    fill();
    await vi.advanceTimersByTimeAsync(1_000);
    answers = [() => Promise.reject<Response>(new TypeError("network"))];
    press("send");
    await vi.advanceTimersByTimeAsync(1);
    expect(saved()).toContain("Not sent");
    expect(field("text").value).toBe(LONG);
    expect(form().querySelector("button")?.disabled).toBe(false);
    press("send");
    await vi.advanceTimersByTimeAsync(1);
    expect(posts()).toHaveLength(2);
  });
});

describe("waiting", () => {
  it("is only for a page that the other side can still change", () => {
    const page = (state: string, unmask: string) => mayChange({ state, unmask } as FeedbackPage);
    expect(page("waiting", "closed")).toBe(true);
    expect(page("revealed", "chosen")).toBe(true);
    for (const state of ["assessing", "answering", "lapsed"]) expect(page(state, "closed")).toBe(false);
    for (const unmask of ["closed", "open", "mutual"]) expect(page("revealed", unmask)).toBe(false);
  });

  it("looks again until there is news, then shows it once", async () => {
    document.body.innerHTML = `<div id="exchange"><h1 tabindex="-1">Sealed</h1></div>`;
    const moved = vi.fn();
    const waiting = { state: "waiting", unmask: "closed" };
    answers = [
      () => json(waiting),
      () => Promise.reject<Response>(new TypeError("network")),
      () => json({ state: "revealed", unmask: "open" }),
      () => new Response(`<title>Open</title><div id="exchange"><h1 tabindex="-1">Both</h1></div>`),
    ];
    watch({ ...PAGE, state: "waiting" }, moved);
    await vi.advanceTimersByTimeAsync(8_500);
    expect(document.querySelector("h1")?.textContent).toBe("Sealed");
    await vi.advanceTimersByTimeAsync(4_500);
    expect(document.querySelector("h1")?.textContent).toBe("Both");
    expect(document.activeElement?.textContent).toBe("Both");
    expect(moved).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fetched).toHaveLength(4);
  });
});

describe("choosing what to show", () => {
  it("previews exactly what is ticked, and ticks what is typed", () => {
    document.body.innerHTML = `
      <form>
        <input type="checkbox" name="show_name"><input name="name" value="Ada">
        <input type="checkbox" name="show_message"><textarea name="message"></textarea>
        <div id="preview" hidden>
          <div data-preview="name"><dd></dd></div><div data-preview="message"><dd></dd></div>
          <p class="identity-empty"></p>
        </div>
      </form>`;
    const unmask = document.querySelector("form") as HTMLFormElement;
    previewIdentity(unmask);
    const shown = () =>
      [...document.querySelectorAll<HTMLElement>("[data-preview]")]
        .filter((row) => !row.hidden)
        .map((row) => row.textContent?.trim());
    expect(shown()).toEqual([]);
    expect(document.querySelector<HTMLElement>(".identity-empty")?.hidden).toBe(false);
    const box = document.querySelector<HTMLInputElement>("[name=show_name]") as HTMLInputElement;
    box.checked = true;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    write("message", "Hello");
    expect(shown()).toEqual(["Ada", "Hello"]);
    write("message", "");
    expect(shown()).toEqual(["Ada"]);
  });
});
