/** Who is here, under which mask, and whether they can be heard. */
import type { Role, Seat } from "../wire";
import { element, icon, make } from "./page";

const VOICE_WORDS: Record<Seat["microphone"], string> = {
  off: "no microphone",
  on: "microphone on",
  muted: "microphone muted",
};

export class Presence {
  #mine: Role;
  #seats: Seat[] = [];
  #speaking = new Map<Role, boolean>();

  constructor(mine: Role) {
    this.#mine = mine;
  }

  get seats(): Seat[] {
    return this.#seats;
  }

  get me(): Seat | undefined {
    return this.#seats.find(({ seat }) => seat === this.#mine);
  }

  /** Who sits opposite, here or not. */
  get other(): Seat | undefined {
    return this.#seats.find(({ seat }) => seat !== this.#mine && seat !== "observer");
  }

  get bothHere(): boolean {
    return this.me?.here === true && this.other?.here === true;
  }

  maskOf(seat: string): string {
    return this.#seats.find((each) => each.seat === seat)?.mask ?? "The room";
  }

  show(seats: Seat[]): void {
    this.#seats = [...seats].sort((a, b) => Number(b.seat === this.#mine) - Number(a.seat === this.#mine));
    element("people").replaceChildren(...this.#seats.map((seat) => this.#person(seat)));
    const other = this.other;
    const words = element("lobby-presence");
    words.dataset.here = String(other?.here === true);
    words.dataset.seat = other?.seat ?? "";
    words.textContent = other
      ? `${other.mask} ${other.here ? "is here" : "is not here yet"}`
      : "You are alone here";
  }

  /** Light the ring of who speaks. */
  showSpeaking(mine: boolean, theirs: boolean): void {
    this.#ring(this.#mine, mine);
    if (this.other) this.#ring(this.other.seat, theirs);
  }

  #ring(seat: Role, speaks: boolean): void {
    if (this.#speaking.get(seat) === speaks) return;
    this.#speaking.set(seat, speaks);
    const person = element("people").querySelector<HTMLElement>(`[data-seat="${seat}"]`);
    if (person) person.dataset.speaks = String(speaks);
  }

  #person(seat: Seat): HTMLElement {
    const mine = seat.seat === this.#mine;
    const person = make("li", "person");
    person.dataset.seat = seat.seat;
    person.dataset.here = String(seat.here);
    person.dataset.speaks = String(this.#speaking.get(seat.seat) ?? false);
    person.title = `${seat.mask}, ${seat.seat}: ${seat.here ? "here" : "not here"}, ${VOICE_WORDS[seat.microphone]}`;
    const mask = make("span", "person-mask", seat.mask);
    const words = make("span", "visually-hidden", `, ${seat.seat}, ${seat.here ? "here" : "not here"}, `);
    const voice = make("span", "person-voice", icon(seat.microphone === "on" ? "mic" : "mic-off"));
    voice.dataset.microphone = seat.microphone;
    voice.append(make("span", "visually-hidden", VOICE_WORDS[seat.microphone]));
    person.append(make("span", `mask-dot mask-dot-${seat.seat}`), mask);
    if (mine) person.append(make("span", "person-you", "you"));
    person.append(words, voice);
    return person;
  }
}
