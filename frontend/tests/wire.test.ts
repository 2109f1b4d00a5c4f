/** Every file of tests/golden/, which rooms/wire.py reads as well. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type ClientMessage, decode, decodeFromClient, encode, KINDS, Malformed } from "../src/wire";

const FOLDER = `${import.meta.dirname}/../../tests/golden/`;

interface Golden {
  from: "client" | "server";
  message: string;
  fields: Record<string, unknown>;
  malformed?: string;
}

const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".bin"))
  .map((name) => name.slice(0, -4));

function read(name: string): { frame: Uint8Array; golden: Golden } {
  const golden = JSON.parse(readFileSync(`${FOLDER}${name}.json`, "utf8"), (_, value) =>
    typeof value?.hex === "string" ? Uint8Array.from(Buffer.from(value.hex, "hex")) : value,
  );
  return { frame: Uint8Array.from(readFileSync(`${FOLDER}${name}.bin`)), golden };
}

/** Plain arrays, since a part of a larger buffer is not equal to a copy of it. */
function plain(message: object): object {
  return Object.fromEntries(
    Object.entries(message).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]),
  );
}

it.each(names)("%s", (name) => {
  const { frame, golden } = read(name);
  const decoded = () => (golden.from === "client" ? decodeFromClient(frame) : decode(frame));
  if (golden.malformed !== undefined) {
    expect(decoded, golden.malformed).toThrow(Malformed);
    return;
  }
  const message = decoded();
  expect(plain(message)).toEqual(plain({ kind: golden.message, ...golden.fields }));
  if (golden.from === "client") expect([...encode(message as ClientMessage)]).toEqual([...frame]);
});

it("has a frame of every message", () => {
  const seen = new Set(names.map((name) => read(name).golden.message));
  const yjs = ["SyncStep1", "SyncStep2", "Edit", "Awareness", "AskAwareness"];
  expect([...Object.keys(KINDS), ...yjs].filter((kind) => !seen.has(kind))).toEqual([]);
});

it("throws Malformed, and nothing else, for any broken frame", () => {
  for (const name of names) {
    const { frame } = read(name);
    for (let at = 0; at < frame.length; at += 1) {
      for (const broken of [frame.slice(0, at), frame.with(at, (frame[at] as number) ^ 0x85)]) {
        for (const reading of [decode, decodeFromClient]) {
          try {
            reading(broken);
          } catch (error) {
            expect(error).toBeInstanceOf(Malformed);
          }
        }
      }
    }
  }
});
