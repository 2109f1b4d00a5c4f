/**
 * The clock of the page whose code is running. Imported before everything else: some modules keep hold of
 * Date.now and the timers as they find them.
 */

/** What runs, and when it is; the driver sets both before anything happens in a page. */
export const now = { ms: 0, timers: null as unknown as Timers };

export class Timers {
  #due = new Map<number, { at_ms: number; run: () => void; every_ms?: number }>();
  #last = 0;

  set(run: () => void, after_ms = 0, every_ms?: number): number {
    this.#last += 1;
    this.#due.set(this.#last, { at_ms: now.ms + Math.max(0, after_ms), run, every_ms });
    return this.#last;
  }

  clear(timer: unknown): void {
    this.#due.delete(timer as number);
  }

  get next_ms(): number | null {
    return this.#due.size === 0 ? null : Math.min(...[...this.#due.values()].map(({ at_ms }) => at_ms));
  }

  runDue(): void {
    const due = [...this.#due].filter(([, { at_ms }]) => at_ms <= now.ms);
    for (const [timer, each] of due.sort(([, a], [, b]) => a.at_ms - b.at_ms)) {
      if (!this.#due.has(timer)) continue; // an earlier one has cleared it
      if (each.every_ms === undefined) this.#due.delete(timer);
      else each.at_ms = now.ms + each.every_ms;
      each.run();
    }
  }
}

Object.assign(globalThis, {
  setTimeout: (run: () => void, after_ms?: number) => now.timers.set(run, after_ms),
  clearTimeout: (timer: unknown) => now.timers.clear(timer),
  setInterval: (run: () => void, every_ms: number) => now.timers.set(run, every_ms, every_ms),
  clearInterval: (timer: unknown) => now.timers.clear(timer),
});
Date.now = () => now.ms;
