/** The shared code: one Y.Text, CodeMirror in front of it, the room's socket behind it. */
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completeAnyWord,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import {
  crosshairCursor,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
  rectangularSelection,
} from "@codemirror/view";
import { yCollab, ySyncAnnotation, yUndoManagerKeymap } from "y-codemirror.next";
import {
  Awareness,
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from "y-protocols/awareness";
import * as Y from "yjs";
import {
  type Awareness as AwarenessMessage,
  type ClientMessage,
  type Edit,
  MAX_FRAME_BYTES,
  type SyncStep2,
} from "../wire";
import { cursors } from "./cursors";
import { LANGUAGES } from "./languages";
import { inParts } from "./parts";
import { theme } from "./theme";

/** One change of a person may bring in so much; it has to fit a frame. */
export const MAX_INSERT_BYTES = 48_000;
/** Kind, step and length of an Edit's frame. */
const FRAME_HEAD_BYTES = 16;
/** A cursor moves faster than anybody reads. */
const CURSOR_MS = 30;

const FROM_ROOM = Symbol("from the room");

export interface CodeOptions {
  parent: HTMLElement;
  language: string;
  send(message: ClientMessage): void;
  /** Too much at once was held back. */
  onTooMuch(): void;
  onPlace(line: number, column: number): void;
}

export class Code {
  readonly doc = new Y.Doc();
  #options: CodeOptions;
  #awareness = new Awareness(this.doc);
  #view: EditorView;
  #language = new Compartment();
  #writable = new Compartment();
  #chosen = "";
  #telling: ReturnType<typeof setTimeout> | undefined;

  constructor(options: CodeOptions) {
    this.#options = options;
    const text = this.doc.getText("code");
    this.#awareness.setLocalState({ cursor: null });
    this.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== FROM_ROOM) this.#send(update);
    });
    this.#awareness.on("update", (_: unknown, origin: unknown) => {
      if (origin === "local") this.#tellSoon();
    });
    options.parent.replaceChildren();
    this.#view = new EditorView({ parent: options.parent, extensions: this.#extensions(text) });
    void this.setLanguage(options.language);
    window.addEventListener("pagehide", () =>
      removeAwarenessStates(this.#awareness, [this.doc.clientID], "leaving"),
    );
  }

  /** What of the document is here already. */
  get vector(): Uint8Array {
    return Y.encodeStateVector(this.doc);
  }

  receive(message: SyncStep2 | Edit | AwarenessMessage): void {
    if (message.kind === "Awareness") applyAwarenessUpdate(this.#awareness, message.update, FROM_ROOM);
    else Y.applyUpdate(this.doc, message.update, FROM_ROOM);
  }

  /** The room knows this page anew: say where its cursor is, and forget cursors of who left meanwhile. */
  welcome(): void {
    const others = [...this.#awareness.getStates().keys()].filter((client) => client !== this.doc.clientID);
    removeAwarenessStates(this.#awareness, others, FROM_ROOM);
    this.#tellSoon();
  }

  async setLanguage(key: string): Promise<void> {
    const pack = LANGUAGES[key];
    if (pack === undefined || key === this.#chosen) return;
    this.#chosen = key;
    const support = await pack.load();
    if (key !== this.#chosen) return; // another was chosen while this one loaded
    this.#view.dispatch({ effects: this.#language.reconfigure([support, indentUnit.of(pack.indent)]) });
  }

  setWritable(writable: boolean): void {
    this.#view.dispatch({ effects: this.#writable.reconfigure(writing(writable)) });
  }

  focus(): void {
    this.#view.focus();
  }

  #extensions(text: Y.Text): Extension {
    return [
      EditorView.cspNonce.of(document.querySelector<HTMLElement>("meta[property=csp-nonce]")?.nonce ?? ""),
      // Otherwise a "\r" that came from elsewhere would count once here and twice in the document.
      EditorState.lineSeparator.of("\n"),
      EditorView.clipboardInputFilter.of((pasted) => pasted.replace(/\r\n?/g, "\n")),
      this.#limit(),
      this.#writable.of(writing(false)),
      this.#language.of([]),
      EditorState.languageData.of(() => [{ autocomplete: completeAnyWord }]),
      EditorState.allowMultipleSelections.of(true),
      EditorState.tabSize.of(4),
      // The tabindex keeps the code within reach of the keyboard while it may only be read.
      EditorView.contentAttributes.of({
        "aria-label": "Code",
        spellcheck: "false",
        autocapitalize: "off",
        tabindex: "0",
      }),
      lineNumbers(),
      foldGutter(),
      highlightSpecialChars(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      drawSelection(),
      dropCursor(),
      rectangularSelection(),
      crosshairCursor(),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      autocompletion(),
      highlightSelectionMatches(),
      search(),
      placeholder("Write code here; the other side sees it as you type."),
      // Each person undoes what they did themselves: only the editor's own changes are tracked.
      yCollab(text, null, { undoManager: new Y.UndoManager(text) }),
      cursors(text, this.#awareness),
      keymap.of([
        ...closeBracketsKeymap,
        ...yUndoManagerKeymap,
        ...searchKeymap,
        ...foldKeymap,
        ...completionKeymap,
        ...defaultKeymap,
        indentWithTab, // Escape, then Tab leaves: CodeMirror looks after that itself
      ]),
      theme,
      EditorView.updateListener.of(({ state, selectionSet, docChanged }) => {
        if (!selectionSet && !docChanged) return;
        const { head } = state.selection.main;
        const line = state.doc.lineAt(head);
        this.#options.onPlace(line.number, head - line.from + 1);
      }),
    ];
  }

  /** Hold back what would not fit a frame, before it is in the document, where nothing can take it back. */
  #limit(): Extension {
    return EditorState.transactionFilter.of((transaction) => {
      if (!transaction.docChanged || transaction.annotation(ySyncAnnotation)) return transaction;
      let size_bytes = 0;
      transaction.changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => {
        size_bytes += sizeOf(inserted.toString());
      });
      if (size_bytes <= MAX_INSERT_BYTES) return transaction;
      this.#options.onTooMuch();
      return [];
    });
  }

  #send(update: Uint8Array): void {
    for (const part of inParts(update, MAX_FRAME_BYTES - FRAME_HEAD_BYTES)) {
      this.#options.send({ kind: "Edit", update: part });
    }
  }

  #tellSoon(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      const update = encodeAwarenessUpdate(this.#awareness, [this.doc.clientID]);
      this.#options.send({ kind: "Awareness", update });
    }, CURSOR_MS);
  }
}

function writing(allowed: boolean): Extension {
  return [EditorState.readOnly.of(!allowed), EditorView.editable.of(allowed)];
}

function sizeOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
