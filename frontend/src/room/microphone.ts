/** The microphone: which there are, opening one, how loud it is, hearing oneself. Nothing here leaves the page. */

export interface MicrophoneChoice {
  id: string;
  /** As the system calls it; "Microphone 2" until the person has allowed the use of one. */
  label: string;
}

/** Why there is no microphone: the person or the system said no, or there is none that works. */
export type Why = "denied" | "missing";

export class NoMicrophone extends Error {
  constructor(readonly why: Why) {
    super(`microphone ${why}`);
  }
}

/** What speech needs: no echo of the other side, no hum, an even loudness. */
export function constraintsFor(deviceId?: string): MediaStreamConstraints {
  return {
    audio: {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      channelCount: 1,
      ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
    },
  };
}

export async function listMicrophones(): Promise<MicrophoneChoice[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices
    .filter((device) => device.kind === "audioinput" && device.deviceId !== "communications")
    .map((device, place) => ({ id: device.deviceId, label: device.label || `Microphone ${place + 1}` }));
}

/**
 * Open a microphone, the chosen one or else the system's. A chosen one that is gone is replaced by the system's.
 * Throws NoMicrophone. The browser may ask the person first, so this can take as long as they like.
 */
export async function openMicrophone(deviceId?: string): Promise<MediaStream> {
  const devices = navigator.mediaDevices;
  // Browsers hide the microphone from pages that do not come over https or from localhost.
  if (!devices?.getUserMedia) throw new NoMicrophone("missing");
  try {
    return await devices.getUserMedia(constraintsFor(deviceId));
  } catch (error) {
    const why = whyOf(error);
    if (deviceId && why === "missing") return openMicrophone();
    throw new NoMicrophone(why);
  }
}

export function whyOf(error: unknown): Why {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  return name === "NotAllowedError" || name === "SecurityError" ? "denied" : "missing";
}

/** How loud these samples (−1…1) are, on a scale that looks even to the eye: 0 below −60 dB, 1 at full scale. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  if (sum === 0) return 0;
  const decibels = 10 * Math.log10(sum / samples.length);
  return Math.min(1, Math.max(0, 1 + decibels / 60));
}

const METER_MS = 50;

/** One for all meters: browsers allow only a few. */
let context: AudioContext | undefined;
let meters = 0;

/** Tells how loud a stream is, 0…1, twenty times a second until it is stopped. */
export class Meter {
  #source: MediaStreamAudioSourceNode | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(stream: MediaStream, onLevel: (level: number) => void) {
    context ??= new AudioContext();
    meters += 1;
    // Suspended when the page opened it without a click; the next tick tries again.
    const ears = context;
    const analyser = ears.createAnalyser();
    analyser.fftSize = 2048;
    this.#source = ears.createMediaStreamSource(stream);
    this.#source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      if (ears.state === "suspended") void ears.resume().catch(() => undefined);
      analyser.getFloatTimeDomainData(samples);
      onLevel(levelOf(samples));
    }, METER_MS);
  }

  stop(): void {
    if (!this.#source) return;
    clearInterval(this.#timer);
    this.#source.disconnect();
    this.#source = undefined;
    meters -= 1;
    if (meters === 0) {
      void context?.close();
      context = undefined;
    }
  }
}

/**
 * Record a few seconds of the stream, so that a person can hear themselves. Give the result to
 * URL.createObjectURL and an <audio>; it never leaves the page.
 */
export async function rehearse(stream: MediaStream, lengthMs = 3000): Promise<Blob> {
  const recorder = new MediaRecorder(stream);
  const parts: Blob[] = [];
  const stopped = new Promise<void>((done, fail) => {
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => done();
    recorder.onerror = () => fail(new NoMicrophone("missing"));
  });
  recorder.start();
  const timer = setTimeout(() => recorder.state !== "inactive" && recorder.stop(), lengthMs);
  try {
    await stopped;
  } finally {
    clearTimeout(timer);
  }
  return new Blob(parts, { type: recorder.mimeType });
}
