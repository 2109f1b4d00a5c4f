/** A room's server as far as connection.ts can tell, and a socket that is driven by hand. */
import type { Socket } from "../src/connection";
import { type ClientMessage, decodeFromClient, isDurable, KINDS } from "../src/wire";

export class FakeSocket implements Socket {
  binaryType: BinaryType = "blob";
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  sent: ClientMessage[] = [];
  closed = false;

  constructor(readonly url: string) {}

  send(frame: Uint8Array<ArrayBuffer>): void {
    if (!this.closed) this.sent.push(decodeFromClient(frame));
  }

  close(): void {
    this.closed = true;
  }

  /** What the server sends. */
  say(message: { kind: keyof typeof KINDS; [field: string]: unknown }): void {
    this.onmessage?.({ data: frameOf(message).buffer });
  }

  /** The rest of the code, which happens to be nothing. */
  rest(): void {
    this.onmessage?.({ data: new Uint8Array([0, 1, 2, 0, 0]).buffer });
  }

  /** What the network does. */
  drop(code = 1006, reason = ""): void {
    this.closed = true;
    this.onclose?.({ code, reason });
  }

  get durable(): ClientMessage[] {
    return this.sent.filter(isDurable);
  }
}

export function frameOf({ kind, ...body }: { kind: keyof typeof KINDS }): Uint8Array<ArrayBuffer> {
  const bytes =
    kind === "Committed"
      ? Object.values(body as Record<string, number>).flatMap(varint)
      : new TextEncoder().encode(JSON.stringify(body));
  return new Uint8Array([KINDS[kind], ...bytes]);
}

function varint(number: number): number[] {
  return number < 128 ? [number] : [0x80 | (number % 128), ...varint(Math.floor(number / 128))];
}

export function welcome(seq: number) {
  return {
    kind: "Welcome" as const,
    seat: "candidate",
    title: "A room",
    phase: "live",
    language: "python",
    seq,
    at_ms: 0,
    live_at_ms: 0,
    ends_at_ms: 3_600_000,
    seats: [],
    lines: [],
    elements: [],
  };
}

/** Numbers between 0 and 1 that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
