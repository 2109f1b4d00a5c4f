import { afterEach, describe, expect, it, vi } from "vitest";
import { wireForms } from "../src/forms";
import { chooseTheme, chosenTheme } from "../src/theme";

afterEach(() => document.body.replaceChildren());

function form(attributes: string): HTMLFormElement {
  document.body.innerHTML = `<form ${attributes}><button>Go</button></form>`;
  wireForms(document);
  const found = document.querySelector("form");
  if (!found) throw new Error("no form");
  return found;
}

function press(target: HTMLFormElement): boolean {
  return target.dispatchEvent(new SubmitEvent("submit", { cancelable: true, bubbles: true }));
}

describe("a form that is sent once", () => {
  it("ignores the second press", () => {
    const target = form("data-once");
    expect([press(target), press(target)]).toEqual([true, false]);
  });

  it("can be sent again when the person comes back to the page", () => {
    const target = form("data-once");
    press(target);
    window.dispatchEvent(new Event("pageshow"));
    expect(press(target)).toBe(true);
  });
});

describe("a form that asks first", () => {
  it.each([
    ["yes", 1],
    ["no", 0],
    ["", 0],
  ])("answer %j sends it %i times", (answer, times) => {
    const target = form('data-ask="Cancel it?" data-yes="Cancel the interview"');
    target.submit = vi.fn();
    expect(press(target)).toBe(false);
    const dialog = document.querySelector("dialog");
    expect(dialog?.textContent).toContain("Cancel it?");
    dialog?.close(answer);
    expect(target.submit).toHaveBeenCalledTimes(times);
    expect(document.querySelector("dialog")).toBeNull();
  });
});

describe("the theme", () => {
  it("is kept in a cookie that the server reads", () => {
    chooseTheme("dark");
    expect(chosenTheme()).toBe("dark");
    expect(document.cookie).toContain("theme=dark");
    chooseTheme("auto");
    expect(chosenTheme()).toBe("auto");
    expect(document.documentElement.hasAttribute("data-theme")).toBe(false);
  });
});
