/**
 * Speaking and hearing: one connection to the server, which passes every voice on. The browser never learns where
 * the others are. It comes back by itself after a loss; what it cannot mend by itself it says as a state.
 */

import { Meter, NoMicrophone, openMicrophone, type Why } from "./microphone";

/**
 * off: not on the line · connecting · on: speaking and hearing · lost: on its way back ·
 * denied, missing: hearing, but without a microphone.
 */
export type VoiceState = "off" | "connecting" | "on" | "lost" | "denied" | "missing";

export interface VoiceOptions {
  /** Give this to the room's socket. When the socket is down it may be dropped; another one follows. */
  sendOffer(sdp: string): void;
  onState(state: VoiceState): void;
  /** How loud I am and how loud the loudest of the others is, 0…1, some twenty times a second. */
  onLevels(mine: number, theirs: number): void;
}

/** Everybody else in the largest room. Prepared at once, so that who comes later is heard without a new offer. */
const OTHERS = 5;
/** A connection often mends itself within this time. */
const PATIENCE_MS = 2_000;
const ANSWER_MS = 5_000;
const CONNECT_MS = 10_000;
const LONGEST_WAIT_MS = 8_000;

/** How long to wait before the nth attempt to come back (from 0); `chance` 0…1 spreads those of many browsers. */
export function waitBefore(attempt: number, chance = Math.random()): number {
  return Math.min(LONGEST_WAIT_MS, 250 * 2 ** attempt) * (0.75 + chance / 2);
}

/** The offer without this machine's addresses: the server finds out by itself where its packets come from. */
export function withoutAddresses(sdp: string): string {
  return sdp
    .split("\r\n")
    .filter((line) => !line.startsWith("a=candidate:") && line !== "a=end-of-candidates")
    .map((line) => (line.startsWith("c=IN ") ? "c=IN IP4 0.0.0.0" : line))
    .map((line) => (line.startsWith("a=rtcp:") ? "a=rtcp:9 IN IP4 0.0.0.0" : line))
    .join("\r\n");
}

/** The number by which an offer calls itself; our server's answer repeats it. */
export function nameOfOffer(offer: string): string {
  return /^o=\S+ (\d+) /m.exec(offer)?.[1] ?? "";
}

/** Whether this answer is for this offer, not for one that a reconnect has overtaken. */
export function answers(answer: string, offer: string): boolean {
  return answer.split("\r\n").includes(`a=offer:${nameOfOffer(offer)}`);
}

type Link = "none" | "connecting" | "up" | "lost";

export class Voice {
  #options: VoiceOptions;
  #wanted = false;
  #muted = false;
  #link: Link = "none";
  #told: VoiceState = "off";

  #microphone: MediaStream | undefined;
  #deviceId: string | undefined;
  #why: Why | undefined;
  #opening = 0;
  #meter: Meter | undefined;
  #mine = 0;

  #line: Line | undefined;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: VoiceOptions) {
    this.#options = options;
  }

  /**
   * Go on the line, or come back to it: call it from the click that enters the room and again when the room's
   * socket is back. With another device id while on the line it changes the microphone and nothing else.
   */
  async start(deviceId?: string): Promise<void> {
    const other = deviceId !== undefined && deviceId !== this.#deviceId;
    const onlyDevice = other && this.#link === "up";
    if (!this.#wanted) {
      window.addEventListener("online", this.#online);
      navigator.mediaDevices?.addEventListener?.("devicechange", this.#plugged);
    }
    this.#wanted = true;
    this.#tell();
    if (other || !isLive(this.#microphone)) {
      const current = await this.#open(deviceId);
      if (!current) return;
    }
    if (!onlyDevice) this.reoffer();
  }

  /** Make a new connection, for instance because the room's socket is back. */
  reoffer(): void {
    if (!this.#wanted) return;
    this.#drop();
    if (this.#link !== "lost") this.#link = "connecting";
    this.#tell();
    const line = new Line(this.#microphone?.getAudioTracks()[0] ?? null, {
      onUp: () => this.#up(line),
      onDown: () => this.#down(line),
      onLevel: () => this.#options.onLevels(this.#mine, line.level),
    });
    this.#line = line;
    this.#timer = setTimeout(() => this.#down(line), ANSWER_MS);
    line.offer().then(
      (sdp) => this.#line === line && this.#options.sendOffer(sdp),
      () => this.#down(line),
    );
  }

  /** The server's answer to the last offer. */
  answer(sdp: string): void {
    const line = this.#line;
    if (!line?.awaits(sdp)) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#down(line), CONNECT_MS);
    line.answer(sdp).catch(() => this.#down(line));
  }

  /** The server refused the last offer: off, until the person turns it on again. */
  refused(): void {
    this.close();
  }

  setMuted(muted: boolean): void {
    this.#muted = muted;
    for (const track of this.#microphone?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Hang up and give the microphone back. */
  close(): void {
    this.#wanted = false;
    this.#opening += 1;
    window.removeEventListener("online", this.#online);
    navigator.mediaDevices?.removeEventListener?.("devicechange", this.#plugged);
    this.#drop();
    this.#release();
    this.#deviceId = this.#why = undefined;
    this.#attempt = 0;
    this.#link = "none";
    this.#options.onLevels(0, 0);
    this.#tell();
  }

  #tell(): void {
    const up = this.#why ?? (this.#link === "up" ? "on" : "connecting");
    const state = !this.#wanted ? "off" : this.#link === "lost" ? "lost" : up;
    if (state === this.#told) return;
    this.#told = state;
    this.#options.onState(state);
  }

  // --- the microphone ---------------------------------------------------------------------------------

  /** Open it and put it on the line. False when something newer happened meanwhile. */
  async #open(deviceId?: string): Promise<boolean> {
    this.#opening += 1;
    const opening = this.#opening;
    let stream: MediaStream | undefined;
    let why: Why | undefined;
    try {
      stream = await openMicrophone(deviceId);
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      why = error.why;
    }
    if (opening !== this.#opening) {
      for (const track of stream?.getTracks() ?? []) track.stop();
      return false;
    }
    const before = this.#microphone;
    this.#release(false);
    this.#microphone = stream;
    this.#deviceId = deviceId;
    this.#why = why;
    const track = stream?.getAudioTracks()[0] ?? null;
    if (stream && track) {
      track.enabled = !this.#muted;
      track.addEventListener("ended", () => this.#microphone === stream && void this.#open());
      this.#meter = new Meter(stream, (level) => {
        this.#mine = level;
        this.#options.onLevels(level, this.#line?.level ?? 0);
      });
    }
    await this.#line?.speakWith(track);
    for (const old of before?.getTracks() ?? []) old.stop();
    this.#tell();
    return true;
  }

  #plugged = (): void => {
    if (this.#why === "missing") void this.#open();
  };

  #release(stop = true): void {
    this.#meter?.stop();
    this.#meter = undefined;
    this.#mine = 0;
    const stream = this.#microphone;
    this.#microphone = undefined;
    if (stop) for (const track of stream?.getTracks() ?? []) track.stop();
  }

  // --- the line ---------------------------------------------------------------------------------------

  #up(line: Line): void {
    if (line !== this.#line) return;
    clearTimeout(this.#timer);
    this.#attempt = 0;
    this.#link = "up";
    this.#tell();
  }

  #down(line: Line): void {
    if (line !== this.#line) return;
    this.#drop();
    this.#link = "lost";
    this.#options.onLevels(this.#mine, 0);
    this.#tell();
    this.#timer = setTimeout(() => this.reoffer(), waitBefore(this.#attempt));
    this.#attempt += 1;
  }

  #drop(): void {
    clearTimeout(this.#timer);
    const line = this.#line;
    this.#line = undefined;
    line?.close();
  }

  #online = (): void => {
    if (this.#link === "lost") this.reoffer();
  };
}

function isLive(stream: MediaStream | undefined): boolean {
  return stream?.getAudioTracks().some((track) => track.readyState === "live") ?? false;
}

interface LineOptions {
  onUp(): void;
  /** It ended or will not come about. May be called more than once. */
  onDown(): void;
  onLevel(): void;
}

/** One connection to the server, from offer to end; a new attempt is a new line. */
class Line {
  #pc: RTCPeerConnection;
  #mouth: RTCRtpTransceiver;
  #options: LineOptions;
  #voices = new Map<MediaStreamTrack, Heard>();
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(track: MediaStreamTrack | null, options: LineOptions) {
    this.#options = options;
    // No STUN or TURN server: the only one to talk to is the room's.
    this.#pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    // Without a microphone the place to speak is kept, so that one can be plugged in later.
    this.#mouth = this.#pc.addTransceiver(track ?? "audio", { direction: "sendrecv" });
    for (let other = 1; other < OTHERS; other += 1)
      this.#pc.addTransceiver("audio", { direction: "recvonly" });
    for (const transceiver of this.#pc.getTransceivers()) preferOpus(transceiver);
    this.#pc.ontrack = (event) => this.#hear(event.track);
    this.#pc.onconnectionstatechange = () => this.#look();
  }

  /** How loud the loudest of the others is, 0…1. */
  get level(): number {
    return Math.max(0, ...[...this.#voices.values()].map((voice) => voice.level));
  }

  async offer(): Promise<string> {
    await this.#pc.setLocalDescription();
    return withoutAddresses(this.#pc.localDescription?.sdp ?? "");
  }

  awaits(answer: string): boolean {
    const waiting = this.#pc.signalingState === "have-local-offer";
    return waiting && answers(answer, this.#pc.localDescription?.sdp ?? "");
  }

  async answer(sdp: string): Promise<void> {
    await this.#pc.setRemoteDescription({ type: "answer", sdp });
    // A goodbye of the server shows here long before the connection's state says so.
    const dtls = this.#mouth.sender.transport;
    dtls?.addEventListener("statechange", () => {
      if (dtls.state === "closed" || dtls.state === "failed") this.#options.onDown();
    });
  }

  async speakWith(track: MediaStreamTrack | null): Promise<void> {
    await this.#mouth.sender.replaceTrack(track).catch(() => this.#options.onDown());
  }

  close(): void {
    clearTimeout(this.#patience);
    this.#options = { onUp: () => undefined, onDown: () => undefined, onLevel: () => undefined };
    this.#pc.onconnectionstatechange = this.#pc.ontrack = null;
    this.#pc.close();
    for (const voice of this.#voices.values()) voice.stop();
    this.#voices.clear();
  }

  #look(): void {
    clearTimeout(this.#patience);
    switch (this.#pc.connectionState) {
      case "connected":
        this.#options.onUp();
        break;
      case "disconnected":
        this.#patience = setTimeout(() => this.#options.onDown(), PATIENCE_MS);
        break;
      case "failed":
      case "closed":
        this.#options.onDown();
    }
  }

  /** A track is muted until its first packet comes: most are places kept for people who are not here. */
  #hear(track: MediaStreamTrack): void {
    const begin = () => {
      if (!this.#voices.has(track)) this.#voices.set(track, new Heard(track, () => this.#options.onLevel()));
    };
    track.addEventListener("unmute", begin);
    if (!track.muted) begin();
  }
}

/** One voice of the others: played and measured. One <audio> each, since browsers may play only a stream's first. */
class Heard {
  level = 0;
  #audio = new Audio();
  #meter: Meter;

  constructor(track: MediaStreamTrack, onLevel: () => void) {
    const stream = new MediaStream([track]);
    this.#audio.srcObject = stream;
    this.#play();
    this.#meter = new Meter(stream, (level) => {
      this.level = level;
      onLevel();
    });
  }

  stop(): void {
    document.removeEventListener("pointerdown", this.#play);
    document.removeEventListener("keydown", this.#play);
    this.#meter.stop();
    this.#audio.pause();
    this.#audio.srcObject = null;
  }

  /** Browsers play sound only after the person did something on the page; until then the next click starts it. */
  #play = (): void => {
    this.#audio.play().catch(() => {
      document.addEventListener("pointerdown", this.#play, { once: true });
      document.addEventListener("keydown", this.#play, { once: true });
    });
  };
}

/** Opus alone: shorter offers, and nothing else would be answered. */
function preferOpus(transceiver: RTCRtpTransceiver): void {
  const known = RTCRtpReceiver.getCapabilities?.("audio")?.codecs ?? [];
  const opus = known.filter((codec) => codec.mimeType.toLowerCase() === "audio/opus");
  if (opus.length > 0) transceiver.setCodecPreferences?.(opus);
}
