import { expect, it } from "vitest";
import * as Y from "yjs";
import { inParts } from "../src/room/parts";
import { seeded } from "./sockets";

const LIMIT = 2_000;

function updatesOf(doc: Y.Doc, change: () => void): Uint8Array[] {
  const updates: Uint8Array[] = [];
  const take = (update: Uint8Array) => updates.push(update);
  doc.on("update", take);
  change();
  doc.off("update", take);
  return updates;
}

/** Apply parts one by one; none may have to wait for a later one. */
function follow(doc: Y.Doc, updates: Uint8Array[]): void {
  for (const part of updates.flatMap((update) => inParts(update, LIMIT))) {
    expect(part.length).toBeLessThanOrEqual(LIMIT);
    Y.applyUpdate(doc, part);
    expect(doc.store.pendingStructs).toBeNull();
    expect(doc.store.pendingDs).toBeNull();
  }
}

it("leaves what fits alone", () => {
  const doc = new Y.Doc();
  const [update] = updatesOf(doc, () => doc.getText("code").insert(0, "print(1)"));
  expect(inParts(update as Uint8Array, LIMIT)).toEqual([update]);
});

it.each(["x".repeat(50_000), "😀é".repeat(9_000), "a😀".repeat(9_000)])("cuts one long insertion", (text) => {
  const [mine, theirs] = [new Y.Doc(), new Y.Doc()];
  follow(
    theirs,
    updatesOf(mine, () => {
      mine.getText("code").insert(0, "<>");
      mine.getText("code").insert(1, text);
    }),
  );
  expect(theirs.getText("code").toString()).toBe(`<${text}>`);
  expect(Y.encodeStateVector(theirs)).toEqual(Y.encodeStateVector(mine));
});

it.each(Array.from({ length: 20 }, (_, seed) => seed))(
  "cuts undone deletions and many edits, seed %i",
  (seed) => {
    const random = seeded(seed);
    const [mine, theirs] = [new Y.Doc(), new Y.Doc()];
    const text = mine.getText("code");
    const undo = new Y.UndoManager(text, { captureTimeout: 0 });
    const scatter = () => {
      for (let edit = 0; edit < 300; edit += 1) {
        const at = Math.floor(random() * (text.length + 1));
        if (random() < 0.6) text.insert(at, "line of code\n".repeat(1 + Math.floor(random() * 20)));
        else text.delete(at, Math.min(text.length - at, Math.floor(random() * 30)));
      }
    };
    follow(
      theirs,
      updatesOf(mine, () => {
        mine.transact(scatter);
        text.delete(0, text.length);
        undo.undo();
        undo.undo();
        undo.redo();
      }),
    );
    expect(theirs.getText("code").toString()).toBe(text.toString());
    expect(Y.equalSnapshots(Y.snapshot(theirs), Y.snapshot(mine))).toBe(true);
  },
);
