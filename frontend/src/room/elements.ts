/** What travels of a drawing: which version wins, what changed, how much goes into one frame. */
import { type Element, MAX_FRAME_BYTES } from "../wire";

/** Kinds the room keeps (rooms/live/board.py); images and pages of others stay outside. */
const KEPT = new Set(["rectangle", "diamond", "ellipse", "line", "arrow", "freedraw", "text", "frame"]);
/** rooms/live/board.py takes so many at most. */
export const MAX_POINTS = 4_000;
/** Kind, braces and commas around the elements. */
const FRAME_HEAD_BYTES = 64;
export const BATCH_BYTES = MAX_FRAME_BYTES - FRAME_HEAD_BYTES;

/** Whether this version replaces the other, as Excalidraw and the room decide: the higher, else the lower nonce. */
export function wins(element: Element, over: Element | undefined): boolean {
  if (over === undefined || element.version !== over.version) {
    return over === undefined || element.version > over.version;
  }
  return element.versionNonce < over.versionNonce;
}

export function isKept(element: Element): boolean {
  return KEPT.has(String(element.type));
}

/**
 * The element as it is sent: coordinates to a hundredth of a pixel, a stroke with no more points than the room
 * takes and a frame holds, nothing that leads elsewhere.
 */
export function asSent(element: Element): Element {
  const { link: _link, customData: _customData, updated: _updated, ...sent } = element;
  let points = element.points as [number, number][] | undefined;
  let pressures = element.pressures as number[] | undefined;
  if (points === undefined) return sent as Element;
  points = points.map(([x, y]) => [hundredth(x), hundredth(y)]);
  pressures = pressures?.map(hundredth);
  const whole = () => ({ ...sent, points, ...(pressures ? { pressures } : {}) }) as Element;
  while (points.length > 3 && (points.length > MAX_POINTS || sizeOf(whole()) > BATCH_BYTES)) {
    points = everySecond(points);
    pressures = pressures && everySecond(pressures);
  }
  return whole();
}

/** These elements in lists that each fit one frame. */
export function inBatches(elements: readonly Element[], limit_bytes = BATCH_BYTES): Element[][] {
  const batches: Element[][] = [];
  let batch: Element[] = [];
  let size_bytes = 0;
  for (const element of elements) {
    const more_bytes = sizeOf(element) + 1;
    if (batch.length > 0 && size_bytes + more_bytes > limit_bytes) {
      batches.push(batch);
      batch = [];
      size_bytes = 0;
    }
    batch.push(element);
    size_bytes += more_bytes;
  }
  return batch.length > 0 ? [...batches, batch] : batches;
}

/** Every second one; the first and the last stay. */
function everySecond<Item>(items: Item[]): Item[] {
  return items.filter((_, place) => place % 2 === 0 || place === items.length - 1);
}

function hundredth(number: number): number {
  return Math.round(number * 100) / 100;
}

function sizeOf(element: Element): number {
  return new TextEncoder().encode(JSON.stringify(element)).length;
}
