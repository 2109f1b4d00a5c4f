/** The controls of one's voice: on and off, mute, push to talk, which microphone, how loud. */
import type { ClientMessage, MicrophoneState } from "../wire";
import { listMicrophones } from "./microphone";
import { element, icon } from "./page";
import { toast } from "./toast";
import { Voice, type VoiceState } from "./voice";

/** Above this somebody speaks; below it is the room's hum. */
const SPEAKS = 0.45;

const WORDS: Record<VoiceState, string> = {
  off: "Turn on",
  connecting: "Connecting",
  on: "Mute",
  lost: "Returning",
  denied: "Blocked",
  missing: "No mic",
};

const EXPLANATIONS: Partial<Record<VoiceState, string>> = {
  denied:
    "Your browser blocks the microphone. You hear the other side; allow it beside the address to speak.",
  missing: "No microphone was found. You hear the other side; plug one in to speak.",
};

export interface TalkOptions {
  send(message: ClientMessage): boolean;
  onSpeaking(mine: boolean, theirs: boolean): void;
}

export class Talk {
  #options: TalkOptions;
  #voice: Voice;
  #state: VoiceState = "off";
  #muted = false;
  #holding = false;
  #told: MicrophoneState = "off";
  #button = element<HTMLButtonElement>("voice");
  #level = this.#button.querySelector<HTMLElement>(".voice-level");
  #push = element<HTMLInputElement>("voice-push");
  #devices = element<HTMLSelectElement>("voice-device");

  constructor(options: TalkOptions) {
    this.#options = options;
    this.#voice = new Voice({
      sendOffer: (sdp) => options.send({ kind: "Offer", sdp }),
      onState: (state) => this.#changed(state),
      onLevels: (mine, theirs) => this.#heard(mine, theirs),
    });
    this.#button.addEventListener("click", () => this.#pressed());
    this.#push.addEventListener("change", () => this.#setMuted(this.#push.checked));
    this.#devices.addEventListener("change", () => void this.start(this.#devices.value));
    window.addEventListener("keydown", (event) => this.#key(event, true));
    window.addEventListener("keyup", (event) => this.#key(event, false));
    window.addEventListener("blur", () => this.#hold(false));
    this.#show();
  }

  get isOn(): boolean {
    return this.#state !== "off";
  }

  /** Go on the line, with this microphone if one is named. */
  async start(deviceId?: string): Promise<void> {
    await this.#voice.start(deviceId || undefined);
    await this.#listDevices(deviceId);
  }

  /** The room's socket is a new one: what it knew of the voice is gone. */
  again(): void {
    this.#told = "off";
    if (this.isOn) void this.#voice.start();
    this.#tell();
  }

  answer(sdp: string): void {
    this.#voice.answer(sdp);
  }

  refused(): void {
    this.#voice.refused();
  }

  close(): void {
    this.#voice.close();
  }

  #pressed(): void {
    if (this.#state === "on" || this.#state === "lost") this.#setMuted(!this.#muted);
    else if (this.#state !== "connecting") void this.start(this.#devices.value);
  }

  #setMuted(muted: boolean): void {
    this.#muted = muted;
    this.#apply();
  }

  /** With push to talk one is muted but for the time the keys are held. */
  #key(event: KeyboardEvent, down: boolean): void {
    if (!this.#push.checked) return;
    if (down && event.altKey && event.code === "KeyV") {
      event.preventDefault();
      this.#hold(true);
    } else if (!down && (event.code === "KeyV" || event.key === "Alt")) {
      this.#hold(false);
    }
  }

  #hold(holding: boolean): void {
    if (holding === this.#holding) return;
    this.#holding = holding;
    this.#apply();
  }

  #apply(): void {
    this.#voice.setMuted(this.#silent);
    this.#tell();
    this.#show();
  }

  get #silent(): boolean {
    return this.#muted && !this.#holding;
  }

  #changed(state: VoiceState): void {
    this.#state = state;
    const explanation = EXPLANATIONS[state];
    if (explanation) toast(explanation);
    if (state === "on") void this.#listDevices();
    this.#tell();
    this.#show();
  }

  #tell(): void {
    const now: MicrophoneState = this.#state !== "on" ? "off" : this.#silent ? "muted" : "on";
    if (now !== this.#told && this.#options.send({ kind: "Microphone", state: now })) this.#told = now;
  }

  #show(): void {
    const live = this.#state === "on" && !this.#silent;
    this.#button.dataset.voice = this.#state;
    this.#button.dataset.muted = String(this.#silent);
    this.#button.querySelector("svg")?.replaceWith(icon(live ? "mic" : "mic-off"));
    const words =
      this.#state === "on" && this.#muted ? (this.#holding ? "Talking" : "Unmute") : WORDS[this.#state];
    element("voice-words").textContent = words;
  }

  #heard(mine: number, theirs: number): void {
    const shown = this.#silent ? 0 : mine;
    if (this.#level) this.#level.style.scale = `${shown.toFixed(2)} 1`;
    this.#options.onSpeaking(!this.#silent && mine > SPEAKS, theirs > SPEAKS);
  }

  async #listDevices(chosen = this.#devices.value): Promise<void> {
    const choices = await listMicrophones();
    this.#devices.replaceChildren(...choices.map(({ id, label }) => new Option(label, id)));
    if (choices.some(({ id }) => id === chosen)) this.#devices.value = chosen;
    this.#devices.disabled = choices.length === 0;
  }
}
