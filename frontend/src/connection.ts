/**
 * One room's socket that outlives its drops: the only module that opens one.
 *
 * What a person did stays in the outbox until the server has committed it, and goes out again, in order, on
 * the next socket: edits and drawings may arrive twice, a line of chat is known by its key. "Saved" is
 * therefore the server's word, never a guess; "reconnecting" is said the moment the socket is gone.
 */
import {
  CLOSE_CODES,
  type ClientMessage,
  decode,
  encode,
  isDurable,
  isFinal,
  Malformed,
  type ServerMessage,
} from "./wire";

/**
 * Doubles with every failed try, up to the cap; a random half is taken off so that not all come at once.
 * The cap leaves a second for coming back: five seconds after a network has healed all pages are equal.
 */
export const FIRST_WAIT_MS = 250;
export const LONGEST_WAIT_MS = 4_000;
/** The server beats every 4 s: two beats missed and a bit means nobody is there. */
export const SILENCE_MS = 12_000;
/** A socket that opened but got no Welcome in this time is given up too. */
export const OPENING_MS = 10_000;

export type Status = "connecting" | "saved" | "saving" | "reconnecting" | "closed";

/** The part of WebSocket that is used, so that tests can drive one by hand. */
export interface Socket {
  binaryType: BinaryType;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(frame: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export interface ConnectionOptions {
  url: string;
  /** What this page has of the code document; asked whenever the rest is requested. */
  vector(): Uint8Array;
  onMessage(message: ServerMessage): void;
  /** A new socket is welcomed: what is volatile (cursor, microphone, voice) has to be told again. */
  onFresh?(): void;
  onStatus(status: Status): void;
  /** The socket is gone for good. `code` is an error code, `sentence` the server's own words or "". */
  onClosed(code: string, sentence: string): void;
  openSocket?: (url: string) => Socket;
  random?: () => number;
}

export class Connection {
  #options: ConnectionOptions;
  #socket: Socket | null = null;
  /** Durable frames without acknowledgement, oldest first; the first `#sent` went out on this socket. */
  #outbox: Uint8Array<ArrayBuffer>[] = [];
  #sent = 0;
  #acknowledged = 0;
  #welcomed = false;
  #everWelcomed = false;
  /** How much of the log this page has seen. */
  #seq = 0;
  #resuming = false;
  /** Beats since the rest of the code was asked for and has not come; null when nothing is awaited. */
  #beatsWithoutRest: number | null = null;
  #failures = 0;
  #status: Status = "connecting";
  #final = false;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hurry = () => this.#retryNow();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    window.addEventListener("online", this.#hurry);
    this.#open();
  }

  get status(): Status {
    return this.#status;
  }

  /** Whether something a person did is not committed yet. */
  get unsaved(): boolean {
    return this.#outbox.length > 0;
  }

  /**
   * Durable messages are kept until saved, whatever happens to the socket; volatile ones go out now or never.
   * Returns whether a volatile one went out.
   */
  send(message: ClientMessage): boolean {
    const frame = encode(message);
    if (isDurable(message)) {
      if (this.#final) return false;
      this.#outbox.push(frame);
      this.#pump();
      this.#settle();
      return true;
    }
    if (!this.#welcomed) return false;
    this.#socket?.send(frame);
    return true;
  }

  /** Leave; nothing is said or sent afterwards. */
  close(): void {
    this.#final = true;
    this.#drop();
    clearTimeout(this.#retry);
    window.removeEventListener("online", this.#hurry);
    this.#say("closed");
  }

  #open(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const open = this.#options.openSocket ?? ((url: string) => new WebSocket(url) as unknown as Socket);
    const socket = open(this.#options.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#sent = 0;
    this.#acknowledged = 0;
    this.#welcomed = false;
    this.#resuming = false;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    this.#listenFor(OPENING_MS);
  }

  #receive(data: unknown): void {
    this.#listenFor(this.#welcomed ? SILENCE_MS : OPENING_MS);
    const message = read(data);
    if (message === null) return;
    switch (message.kind) {
      case "Welcome":
        this.#seq = message.seq;
        this.#resuming = false;
        this.#welcome();
        break;
      case "Committed":
        this.#committed(message.after_seq, message.seq, message.saved);
        break;
      case "Beat":
        this.#failures = 0; // it held for a while: the next drop is a new one
        if (message.seq > this.#seq || this.#isRestOverdue()) this.#askAgain();
        break;
      case "SyncStep2":
        this.#beatsWithoutRest = null;
        break;
      default:
    }
    this.#options.onMessage(message);
  }

  #welcome(): void {
    if (this.#welcomed) return; // the answer to a Resume
    this.#welcomed = true;
    this.#everWelcomed = true;
    this.#listenFor(SILENCE_MS);
    this.#askForRest();
    this.#pump();
    this.#settle();
    this.#options.onFresh?.();
  }

  #committed(afterSeq: number, seq: number, saved: number): void {
    const fresh = Math.min(saved - this.#acknowledged, this.#sent);
    if (fresh > 0) {
      this.#outbox.splice(0, fresh);
      this.#sent -= fresh;
      this.#acknowledged += fresh;
    }
    if (afterSeq > this.#seq) this.#askAgain();
    else this.#seq = Math.max(this.#seq, seq);
    this.#settle();
  }

  /** Something was missed: ask for the room's state after our place and for the rest of the code. */
  #askAgain(): void {
    if (this.#resuming || !this.#welcomed) return;
    this.#resuming = true;
    this.#socket?.send(encode({ kind: "Resume", after_seq: this.#seq }));
    this.#askForRest();
  }

  #askForRest(): void {
    this.#beatsWithoutRest = 0;
    this.#socket?.send(encode({ kind: "SyncStep1", vector: this.#options.vector() }));
  }

  /** Two beats have passed since the code was asked for: nobody should sit before half of it. */
  #isRestOverdue(): boolean {
    if (this.#beatsWithoutRest === null) return false;
    this.#beatsWithoutRest += 1;
    return this.#beatsWithoutRest > 2;
  }

  #pump(): void {
    if (!this.#welcomed) return;
    for (const frame of this.#outbox.slice(this.#sent)) this.#socket?.send(frame);
    this.#sent = this.#outbox.length;
  }

  #lost(code: number, reason: string): void {
    this.#drop();
    if (isFinal(code)) {
      this.#final = true;
      window.removeEventListener("online", this.#hurry);
      this.#say("closed");
      this.#options.onClosed(CLOSE_CODES[code] ?? "refused", reason);
      return;
    }
    if (this.#everWelcomed) this.#say("reconnecting");
    this.#retryLater();
  }

  #retryLater(): void {
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    const random = this.#options.random ?? Math.random;
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#open(), wait * (0.5 + 0.5 * random()));
  }

  #retryNow(): void {
    if (this.#retry === undefined) return; // a socket is there or being opened
    this.#failures = 0;
    this.#open();
  }

  /** Nothing came for too long: the network is gone though the socket does not know it yet. */
  #listenFor(ms: number): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lost(1006, ""), ms);
  }

  #drop(): void {
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    this.#welcomed = false;
    this.#sent = 0;
    if (socket === null) return;
    socket.onmessage = socket.onclose = null; // its last words may come a minute from now
    socket.close();
  }

  #settle(): void {
    if (this.#welcomed) this.#say(this.unsaved ? "saving" : "saved");
  }

  #say(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#options.onStatus(status);
  }
}

/** The message in a frame, or null: a newer server may say what this page does not know yet. */
function read(data: unknown): ServerMessage | null {
  try {
    if (!(data instanceof ArrayBuffer)) throw new Malformed("a text frame");
    return decode(new Uint8Array(data));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    console.warn("skipped a frame:", error.message);
    return null;
  }
}
