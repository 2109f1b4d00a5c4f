/** The words both languages share: kinds, limits, close codes, error codes, languages. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { say, sayLine, WORDS } from "../src/say";
import { CLOSE_CODES, isFinal, KINDS, MAX_CHAT_CHARACTERS, MAX_FRAME_BYTES } from "../src/wire";

const ROOT = `${import.meta.dirname}/../../`;
const read = (path: string) => readFileSync(ROOT + path, "utf8");
const WIRE = read("rooms/wire.py");

it("numbers messages as rooms/wire.py does", () => {
  const classes = WIRE.split("@dataclass").slice(1);
  const kinds = classes.flatMap((source) => {
    const name = /class (\w+)/.exec(source)?.[1];
    const kind = /kind: ClassVar\[int\] = (\d+)/.exec(source)?.[1];
    return name && kind ? [[name, Number(kind)]] : [];
  });
  expect(kinds.length).toBeGreaterThan(15);
  expect(KINDS).toEqual(Object.fromEntries(kinds));
});

it("closes for the same reasons", () => {
  const table = /CLOSE_CODES[^{]*\{([^}]*)\}/.exec(WIRE)?.[1] ?? "";
  const codes = [...table.matchAll(/(\d+): "(\w+)"/g)].map(([, code, word]) => [Number(code), word]);
  expect(CLOSE_CODES).toEqual(Object.fromEntries(codes));
  const comesBack =
    /reconnects by itself after ([\d, and]+)/.exec(WIRE)?.[1]?.match(/\d+/g)?.map(Number) ?? [];
  expect(comesBack).toContain(1012);
  expect(comesBack.filter(isFinal)).toEqual([]);
  const stays = Object.keys(CLOSE_CODES)
    .map(Number)
    .filter((code) => !comesBack.includes(code));
  expect(stays.filter((code) => !isFinal(code))).toEqual([]);
});

it("knows the limits", () => {
  expect(WIRE).toContain(
    `MAX_CHAT_CHARACTERS = ${MAX_CHAT_CHARACTERS.toLocaleString("en").replace(",", "_")}`,
  );
  expect(WIRE).toContain("MAX_FRAME_BYTES = 64 * 1024");
  expect(MAX_FRAME_BYTES).toBe(64 * 1024);
});

it("has words for every refusal", () => {
  const files = ["platform", "rooms", "feedback"].flatMap((folder) =>
    readdirSync(ROOT + folder, { recursive: true, encoding: "utf8" })
      .filter((path) => /(^|\/)errors\.py$/.test(path))
      .map((path) => `${folder}/${path}`),
  );
  expect(files.length).toBeGreaterThan(2);
  const codes = files.flatMap((path) =>
    [...read(path).matchAll(/^ {4}code = "(\w+)"/gm)].map(([, code]) => code),
  );
  expect(Object.keys(WORDS).sort()).toEqual([...new Set(codes)].sort());
});

it("prefers what the server says when it says more", () => {
  expect(say("not_now")).toEqual(WORDS.not_now);
  expect(say("not_now", "The interview starts once both of you are here.")[0]).toContain("both of you");
  expect(say("no_such_code_ever")).toEqual(WORDS.refused);
  expect(sayLine("restarting")).toBe("The server restarts. Reconnecting in a moment.");
});
