/** The whiteboard as the room keeps it. Excalidraw, which draws it, is loaded when somebody looks at it. */
import type { Draw, Element } from "../wire";
import type { Scene } from "./board-excalidraw";
import { asSent, inBatches, isKept, wins } from "./elements";
import { make } from "./page";
import { shownTheme, watchTheme } from "./shown-theme";

/** Drawing changes an element with every move of the hand; so often the others see it. */
const SEND_MS = 80;

export interface BoardOptions {
  host: HTMLElement;
  send(message: Draw): void;
  /** The others drew while it was not on the screen. */
  onNews(): void;
  /** Something was held back: images, embedded pages. */
  onHeldBack(): void;
}

export class Board {
  #options: BoardOptions;
  /** The newest version of each element that the room has, or will have once what was sent arrives. */
  #known = new Map<string, Element>();
  #changed = new Map<string, Element>();
  #scene: Scene | null = null;
  #opening: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writable = false;

  constructor(options: BoardOptions) {
    this.#options = options;
    watchTheme(() => this.#scene?.setTheme(shownTheme()));
  }

  get isOpen(): boolean {
    return this.#scene !== null;
  }

  /** Elements as the room keeps them now; what is newer here stays. */
  receive(elements: readonly Element[]): void {
    const newer = elements.filter((element) => wins(element, this.#known.get(element.id)));
    for (const element of newer) this.#known.set(element.id, element);
    if (newer.length === 0) return;
    this.#scene?.receive(newer);
    this.#options.onNews();
  }

  setWritable(writable: boolean): void {
    this.#writable = writable;
    this.#scene?.setWritable(writable);
  }

  /** Bring it to the screen; the first time takes a moment. */
  open(): Promise<void> {
    this.#opening ??= this.#load().catch((error) => {
      this.#opening = null; // the network may be back when it is opened again
      this.#options.host.replaceChildren(
        make("p", "board-wait", "The board could not be loaded. Switch away and back to try again."),
      );
      throw error;
    });
    return this.#opening;
  }

  async #load(): Promise<void> {
    const { openScene } = await import("./board-excalidraw");
    this.#options.host.replaceChildren();
    this.#scene = openScene({
      host: this.#options.host,
      elements: [...this.#known.values()],
      theme: shownTheme(),
      writable: this.#writable,
      onChange: (elements) => this.#take(elements),
      onHeldBack: this.#options.onHeldBack,
    });
  }

  #take(elements: readonly Element[]): void {
    for (const element of elements) {
      if (isKept(element) && wins(element, this.#known.get(element.id)))
        this.#changed.set(element.id, element);
    }
    if (this.#changed.size > 0) this.#timer ??= setTimeout(() => this.#flush(), SEND_MS);
  }

  #flush(): void {
    this.#timer = undefined;
    const changed = [...this.#changed.values()].filter((element) =>
      wins(element, this.#known.get(element.id)),
    );
    this.#changed.clear();
    const sent = changed.map(asSent);
    for (const element of sent) this.#known.set(element.id, element);
    for (const batch of inBatches(sent)) this.#options.send({ kind: "Draw", elements: batch });
  }
}
