import { afterEach, describe, expect, it } from "vitest";
import { momentInWords, showMoments } from "../src/moments";

const NOW = new Date(2026, 4, 20, 15, 0);

describe("a moment in words", () => {
  it.each([
    [new Date(2026, 4, 20, 9, 5), "Today, 09:05"],
    [new Date(2026, 4, 21, 0, 0), "Tomorrow, 00:00"],
    [new Date(2026, 4, 19, 23, 59), "Yesterday, 23:59"],
    [new Date(2026, 4, 23, 14, 30), "Sat 23 May, 14:30"],
    [new Date(2027, 0, 2, 14, 30), "Sat 2 Jan 2027, 14:30"],
  ])("%s is %s", (at, words) => {
    expect(momentInWords(at, NOW, "en-GB").replace("Sat,", "Sat")).toBe(words);
  });

  it("counts days by the calendar, not by 24 hours", () => {
    const late = new Date(2026, 4, 20, 23, 59);
    expect(momentInWords(new Date(2026, 4, 21, 0, 1), late, "en-GB")).toBe("Tomorrow, 00:01");
  });
});

describe("the times of a page", () => {
  afterEach(() => document.body.replaceChildren());

  it("become the reader's, and keep UTC as a hint", () => {
    document.body.innerHTML = `<time datetime="${NOW.toISOString()}" data-moment>20 May 2026, 15:00 UTC</time>`;
    showMoments(document, NOW);
    const time = document.querySelector("time");
    expect(time?.textContent).toBe("Today, 15:00");
    expect(time?.title).toBe("20 May 2026, 15:00 UTC");
  });

  it("stay as they are when unreadable or not marked", () => {
    document.body.innerHTML = "<time datetime='soon' data-moment>soon</time><time datetime='x'>then</time>";
    showMoments(document, NOW);
    expect(document.body.textContent).toBe("soonthen");
  });
});
