import { afterEach, describe, expect, it, vi } from "vitest";
import { openLink } from "../src/enter";

const PAGE = `
  <p id="offer"></p>
  <form id="with-secret" hidden><input type="hidden" name="secret"><button>Join</button>
    <a href="#" data-keep-secret>Sign in first</a></form>
  <div id="without-secret" hidden></div>
  <div id="spent" hidden><p id="spent-words"></p></div>`;

function page(hash: string, look = "") {
  document.body.innerHTML = PAGE;
  history.replaceState(null, "", `/join/${hash}`);
  const form = document.querySelector<HTMLFormElement>("#with-secret");
  const half = document.querySelector<HTMLElement>("#without-secret");
  if (!form || !half) throw new Error("the page lacks its parts");
  if (look) form.dataset.look = look;
  openLink(form, half);
  const secret = form.querySelector<HTMLInputElement>("input[name=secret]");
  return { form, half, secret: secret?.value };
}

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
  document.body.replaceChildren();
});

describe("a link with a secret", () => {
  it("puts it into the form and shows the button", () => {
    const { form, half, secret } = page("#s3cret");
    expect([form.hidden, half.hidden, secret]).toEqual([false, true, "s3cret"]);
  });

  it("says that half of it is missing", () => {
    const { form, half } = page("");
    expect([form.hidden, half.hidden]).toEqual([true, false]);
  });

  it("survives signing in first, once and in this tab alone", () => {
    page("#s3cret").form.querySelector<HTMLElement>("[data-keep-secret]")?.click();
    expect(page("").secret).toBe("s3cret");
    expect(sessionStorage.length).toBe(0);
    expect(page("").form.hidden).toBe(true);
  });

  it("keeps nothing unless asked to", () => {
    page("#s3cret");
    expect(sessionStorage.length).toBe(0);
  });
});

describe("what an invitation is for", () => {
  it("is asked for by POST, so that the secret stays out of addresses", async () => {
    const offer = {
      title: "Two sums",
      seat: "candidate",
      starts_at: new Date().toISOString(),
      length_minutes: 45,
    };
    const fetched = vi.fn(async () => Response.json(offer));
    vi.stubGlobal("fetch", fetched);
    page("#s3cret", "/join/look/");
    await vi.waitFor(() => expect(document.querySelector("#offer")?.textContent).toContain("“Two sums”"));
    const [url, request] = fetched.mock.calls[0] as unknown as [string, RequestInit];
    expect([url, request.method]).toEqual(["/join/look/", "POST"]);
    expect((request.body as FormData).get("secret")).toBe("s3cret");
    expect(document.querySelector("#offer")?.textContent).toContain("as the candidate");
  });

  it.each([
    ["invitation_spent", "used already or has expired"],
    ["seat_taken", "you sit in this room already"],
  ])("says so when it was refused: %s", async (refused, words) => {
    vi.stubGlobal("fetch", async () => Response.json({ refused }));
    const { form } = page("#s3cret", "/join/look/");
    await vi.waitFor(() => expect(document.querySelector("#spent-words")?.textContent).toContain(words));
    expect(form.hidden).toBe(true);
  });

  it("leaves the button when it cannot be asked", async () => {
    const fetched = vi.fn(async () => Promise.reject(new TypeError("offline")));
    vi.stubGlobal("fetch", fetched);
    const { form } = page("#s3cret", "/join/look/");
    await vi.waitFor(() => expect(fetched).toHaveBeenCalled());
    expect(form.hidden).toBe(false);
  });
});
