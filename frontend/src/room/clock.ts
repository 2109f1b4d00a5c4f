/** The room's clock, as the server tells it: milliseconds since the first person entered. */

export class RoomClock {
  #ahead_ms: number | null = null;

  /** The server says it is `at_ms` now. */
  set(at_ms: number): void {
    const ahead_ms = at_ms - performance.now();
    // A frame that was long under way tells a time that has passed: the one that came fastest is the truest.
    this.#ahead_ms = Math.max(ahead_ms, this.#ahead_ms ?? ahead_ms);
  }

  /** The server starts anew: forget what was known. */
  reset(): void {
    this.#ahead_ms = null;
  }

  now_ms(): number {
    return performance.now() + (this.#ahead_ms ?? 0);
  }

  /** When that was by the clock on this person's wall. */
  wallTime(at_ms: number): Date {
    return new Date(Date.now() + at_ms - this.now_ms());
  }
}

/** "4:05", "61:00". */
export function minutesAndSeconds(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
