/** The others' carets and selections in the code, in the colour of their seat, under their mask. */
import { type Extension, type Range, RangeSet } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  type EditorView,
  ViewPlugin,
  type ViewUpdate,
  WidgetType,
} from "@codemirror/view";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";

/** What the server writes about a seat, and the place its page told. */
interface State {
  user?: { name?: string; seat?: string };
  cursor?: { anchor: unknown; head: unknown } | null;
}

class Caret extends WidgetType {
  constructor(
    readonly name: string,
    readonly seat: string,
    readonly place: string,
  ) {
    super();
  }

  /** One that moved is drawn anew, which shows its label again for a moment. */
  override eq(other: Caret): boolean {
    return this.name === other.name && this.seat === other.seat && this.place === other.place;
  }

  toDOM(): HTMLElement {
    const caret = document.createElement("span");
    caret.className = "caret";
    caret.dataset.seat = this.seat;
    caret.dataset.mask = this.name; // written by the style sheet: it is no part of the code
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

/** The extension that tells where this person is and draws where the others are. */
export function cursors(text: Y.Text, awareness: Awareness): Extension {
  class Cursors {
    decorations: DecorationSet = RangeSet.empty;
    #changed = (_: unknown, origin: unknown) => {
      if (origin !== "local") this.view.dispatch({});
    };

    constructor(readonly view: EditorView) {
      awareness.on("change", this.#changed);
      this.decorations = this.#draw();
    }

    update(update: ViewUpdate): void {
      if (update.selectionSet || update.docChanged || update.focusChanged) this.#tell();
      this.decorations = this.#draw();
    }

    destroy(): void {
      awareness.off("change", this.#changed);
    }

    #tell(): void {
      if (!this.view.hasFocus) return;
      const { anchor, head } = this.view.state.selection.main;
      const [from, to] = [anchor, head].map((at) => Y.createRelativePositionFromTypeIndex(text, at));
      const known = awareness.getLocalState()?.cursor;
      if (JSON.stringify(known) === JSON.stringify({ anchor: from, head: to })) return;
      awareness.setLocalStateField("cursor", { anchor: from, head: to });
    }

    #draw(): DecorationSet {
      const ranges: Range<Decoration>[] = [];
      for (const [client, state] of awareness.getStates() as Map<number, State>) {
        if (client === awareness.clientID || !state.cursor) continue;
        const anchor = this.#place(state.cursor.anchor);
        const head = this.#place(state.cursor.head);
        if (anchor === null || head === null) continue;
        const seat = state.user?.seat ?? "observer";
        const [from, to] = anchor < head ? [anchor, head] : [head, anchor];
        if (from < to) {
          ranges.push(
            Decoration.mark({ class: "selected", attributes: { "data-seat": seat } }).range(from, to),
          );
        }
        const caret = new Caret(state.user?.name ?? "Somebody", seat, JSON.stringify(state.cursor));
        ranges.push(Decoration.widget({ widget: caret, side: head > anchor ? -1 : 1 }).range(head));
      }
      return Decoration.set(ranges, true);
    }

    /** Where in the text that is now; null when it is nowhere, or beyond what the editor shows yet. */
    #place(position: unknown): number | null {
      if (position === null || typeof position !== "object" || text.doc === null) return null;
      const place = Y.createAbsolutePositionFromRelativePosition(
        Y.createRelativePositionFromJSON(position),
        text.doc,
      );
      if (place === null || place.type !== text || place.index > this.view.state.doc.length) return null;
      return place.index;
    }
  }
  return ViewPlugin.fromClass(Cursors, { decorations: (cursors) => cursors.decorations });
}
