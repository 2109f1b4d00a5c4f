import { expect, it } from "vitest";
import { asSent, BATCH_BYTES, inBatches, isKept, MAX_POINTS, wins } from "../src/room/elements";
import { type Element, encode, MAX_FRAME_BYTES } from "../src/wire";
import { seeded } from "./sockets";

const element = (id: string, version: number, versionNonce = 1, more: object = {}): Element => ({
  id,
  type: "rectangle",
  version,
  versionNonce,
  ...more,
});

it("lets the newest version win, and of equal ones the lower nonce, whatever came first", () => {
  expect(wins(element("a", 2), undefined)).toBe(true);
  expect(wins(element("a", 2), element("a", 1))).toBe(true);
  expect(wins(element("a", 1), element("a", 2))).toBe(false);
  expect(wins(element("a", 2, 5), element("a", 2, 9))).toBe(true);
  expect(wins(element("a", 2, 9), element("a", 2, 5))).toBe(false);
  expect(wins(element("a", 2, 5), element("a", 2, 5))).toBe(false);
});

it("converges in whatever order two sides hear of each other", () => {
  for (let seed = 0; seed < 100; seed += 1) {
    const random = seeded(seed);
    const versions = Array.from({ length: 12 }, () =>
      element(`e${Math.floor(random() * 3)}`, Math.floor(random() * 4), Math.floor(random() * 4)),
    );
    const boards = [versions, [...versions].sort(() => random() - 0.5)].map((order) => {
      const board = new Map<string, Element>();
      for (const each of order) if (wins(each, board.get(each.id))) board.set(each.id, each);
      return [...board.entries()].sort();
    });
    expect(boards[0]).toEqual(boards[1]);
  }
});

it("sends nothing that leads elsewhere", () => {
  const sent = asSent(
    element("a", 1, 1, { link: "x", customData: { a: 1 }, updated: 1_700_000_000_000, x: 1 }),
  );
  expect(sent).toEqual({ id: "a", type: "rectangle", version: 1, versionNonce: 1, x: 1 });
  expect(["image", "embeddable", "iframe"].map((type) => isKept(element("a", 1, 1, { type })))).toEqual([
    false,
    false,
    false,
  ]);
});

it("makes any stroke fit one frame, with its ends where they were", () => {
  const random = seeded(1);
  const points = Array.from({ length: 30_000 }, () => [random() * 1e6, -random() * 1e6]);
  const stroke = element("a", 1, 1, { type: "freedraw", points, pressures: points.map(() => random()) });
  const sent = asSent(stroke) as Element & { points: number[][]; pressures: number[] };
  expect(encode({ kind: "Draw", elements: [sent] }).length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
  expect(sent.points.length).toBeLessThanOrEqual(MAX_POINTS);
  expect(sent.points.length).toBeGreaterThan(500);
  expect(sent.pressures.length).toBe(sent.points.length);
  const [first, last] = [points[0], points.at(-1)].map((point) =>
    point?.map((each) => Math.round(each * 100) / 100),
  );
  expect([sent.points[0], sent.points.at(-1)]).toEqual([first, last]);
  expect(stroke.points).toBe(points); // Excalidraw's own stays as it was
});

it("puts as many elements into a frame as fit, all of them, in order", () => {
  const many = Array.from({ length: 900 }, (_, place) =>
    element(`e${place}`, 1, 1, { text: "ü".repeat(place % 300) }),
  );
  const batches = inBatches(many);
  expect(batches.flat()).toEqual(many);
  expect(batches.length).toBeGreaterThan(1);
  for (const elements of batches) {
    expect(encode({ kind: "Draw", elements }).length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
  }
  for (const [place, batch] of batches.slice(0, -1).entries()) {
    const withNext = [...batch, batches[place + 1]?.[0] as Element];
    expect(encode({ kind: "Draw", elements: withNext }).length).toBeGreaterThan(BATCH_BYTES - 64);
  }
  expect(inBatches([])).toEqual([]);
});
