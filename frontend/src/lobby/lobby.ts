/** Before the room: does the microphone work, may the voice be recorded, who is here, the link for the other. */
import { listMicrophones, Meter, NoMicrophone, openMicrophone, rehearse } from "../room/microphone";
import { element } from "../room/page";

const REHEARSAL_MS = 3_000;

const WORDS = {
  first: "Check that you are heard. You can also enter without one, and read and type.",
  works: "Say something: the bar moves when you are heard.",
  denied: "Your browser blocks the microphone. Allow it beside the address, then check again.",
  missing: "No microphone was found. Plug one in and check again, or enter without.",
  recording: "Listening for three seconds; say a sentence.",
  playing: "This is you, before any mask.",
};

export interface LobbyOptions {
  invitationUrl: string | null;
  onEnter(deviceId: string | undefined): void;
}

export class Lobby {
  #options: LobbyOptions;
  #stream: MediaStream | null = null;
  #meter: Meter | null = null;
  #check = element<HTMLButtonElement>("mic-open");
  #hear = element<HTMLButtonElement>("mic-rehearse");
  #level = element("mic-level");
  #devices = element<HTMLSelectElement>("mic-device");

  constructor(options: LobbyOptions) {
    this.#options = options;
    this.#check.addEventListener("click", () => void this.#open());
    this.#hear.addEventListener("click", () => void this.#rehearse());
    this.#devices.addEventListener("change", () => void this.#open(this.#devices.value));
    element("enter").addEventListener("click", () => this.#enter());
    if (options.invitationUrl !== null) this.#offerInvitation(options.invitationUrl);
  }

  /** Whether the other seat is free for who has the link. */
  set otherIsHere(here: boolean) {
    if (this.#options.invitationUrl !== null) element("invitation").hidden = here;
  }

  /** Give the microphone back; the room opens its own. */
  close(): void {
    this.#meter?.stop();
    this.#meter = null;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#show(0);
    this.#hear.hidden = true;
    this.#check.hidden = false;
    element("mic-words").textContent = WORDS.first;
  }

  #enter(): void {
    const chosen = this.#stream ? this.#devices.value || undefined : undefined;
    this.close();
    this.#options.onEnter(chosen);
  }

  async #open(deviceId?: string): Promise<void> {
    this.close();
    this.#check.disabled = true;
    try {
      this.#stream = await openMicrophone(deviceId);
      this.#meter = new Meter(this.#stream, (level) => this.#show(level));
      await this.#listDevices();
      this.#check.hidden = true;
      this.#hear.hidden = this.#hear.disabled = false;
      element("mic-words").textContent = WORDS.works;
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      element("mic-words").textContent = WORDS[error.why];
      this.#check.textContent = "Check again";
    } finally {
      this.#check.disabled = false;
    }
  }

  async #rehearse(): Promise<void> {
    const stream = this.#stream;
    if (stream === null) return;
    this.#hear.disabled = true;
    const words = element("mic-words");
    words.textContent = WORDS.recording;
    try {
      const url = URL.createObjectURL(await rehearse(stream, REHEARSAL_MS));
      if (this.#stream !== stream) return;
      words.textContent = WORDS.playing;
      const audio = new Audio(url);
      await new Promise<void>((done) => {
        audio.onended = audio.onerror = () => done();
        audio.play().catch(() => done());
      });
      URL.revokeObjectURL(url);
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
    }
    if (this.#stream !== stream) return;
    words.textContent = WORDS.works;
    this.#hear.disabled = false;
  }

  async #listDevices(): Promise<void> {
    const choices = await listMicrophones();
    const used = this.#stream?.getAudioTracks()[0]?.getSettings().deviceId;
    this.#devices.replaceChildren(...choices.map(({ id, label }) => new Option(label, id)));
    if (used) this.#devices.value = used;
    this.#devices.disabled = choices.length < 2;
  }

  #show(level: number): void {
    const bar = this.#level.querySelector<HTMLElement>("span");
    if (bar) bar.style.scale = `${level.toFixed(2)} 1`;
    this.#level.setAttribute("aria-valuenow", String(Math.round(level * 100)));
  }

  #offerInvitation(url: string): void {
    element("invitation").hidden = false;
    const field = element<HTMLInputElement>("invitation-url");
    field.value = url;
    field.addEventListener("focus", () => field.select());
    const button = element<HTMLButtonElement>("invitation-copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(url);
        button.textContent = "Copied";
      } catch {
        field.select(); // without https there is no clipboard; the person copies by hand
        button.textContent = "Press Ctrl+C";
      }
      setTimeout(() => {
        button.textContent = "Copy";
      }, 2_500);
    });
  }
}
