import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  answers,
  nameOfOffer,
  Voice,
  type VoiceState,
  waitBefore,
  withoutAddresses,
} from "../src/room/voice";

const OFFER = [
  "v=0",
  "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
  "m=audio 55555 UDP/TLS/RTP/SAVPF 111",
  "c=IN IP4 203.0.113.77",
  "a=rtcp:55556 IN IP4 203.0.113.77",
  "a=candidate:1 1 udp 2122194687 203.0.113.77 55555 typ host",
  "a=candidate:2 1 udp 1677729535 192.0.2.3 41000 typ srflx raddr 203.0.113.77 rport 55555",
  "a=end-of-candidates",
  "a=mid:0",
  "",
].join("\r\n");

describe("withoutAddresses", () => {
  it("leaves everything but this machine's addresses", () => {
    const told = withoutAddresses(OFFER);
    expect(told).not.toMatch(/203\.0\.113\.77|192\.0\.2\.3|candidate/);
    expect(told).toContain("c=IN IP4 0.0.0.0");
    expect(told).toContain("a=mid:0");
    expect(told.endsWith("\r\n")).toBe(true);
  });
});

describe("answers", () => {
  it("knows the answer to an offer from that to another", () => {
    expect(nameOfOffer(OFFER)).toBe("4611731400430051336");
    expect(answers("v=0\r\na=offer:4611731400430051336\r\n", OFFER)).toBe(true);
    expect(answers("v=0\r\na=offer:46117314004300513361\r\n", OFFER)).toBe(false);
    expect(answers("v=0\r\n", OFFER)).toBe(false);
  });
});

describe("waitBefore", () => {
  it("doubles up to eight seconds and spreads", () => {
    expect([0, 1, 2, 3, 4, 5, 6].map((attempt) => waitBefore(attempt, 0.5))).toEqual([
      250, 500, 1000, 2000, 4000, 8000, 8000,
    ]);
    expect(waitBefore(2, 0)).toBe(750);
    expect(waitBefore(2, 1)).toBe(1250);
  });
});

// --- the whole, over a connection that only the test moves ----------------------------------------------

class FakeTrack extends EventTarget {
  readyState: MediaStreamTrackState = "live";
  enabled = true;
  stop(): void {
    this.readyState = "ended";
  }
}

class FakeStream {
  tracks = [new FakeTrack()];
  getTracks = () => this.tracks;
  getAudioTracks = () => this.tracks;
}

class FakeConnection {
  static all: FakeConnection[] = [];
  static get last(): FakeConnection {
    return FakeConnection.all.at(-1) as FakeConnection;
  }
  number = FakeConnection.all.push(this);
  configuration: RTCConfiguration;
  connectionState: RTCPeerConnectionState = "new";
  signalingState = "stable";
  localDescription: { sdp: string } | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ontrack: unknown = null;
  closed = false;
  transport = Object.assign(new EventTarget(), { state: "connected" });
  sender = { transport: this.transport, replaceTrack: vi.fn(async (_: unknown) => undefined) };
  directions: string[] = [];

  constructor(configuration: RTCConfiguration) {
    this.configuration = configuration;
  }
  addTransceiver(_: unknown, init: { direction: string }): { sender: unknown } {
    this.directions.push(init.direction);
    return { sender: this.sender };
  }
  getTransceivers = () => [];
  async setLocalDescription(): Promise<void> {
    this.signalingState = "have-local-offer";
    this.localDescription = { sdp: `v=0\r\no=- ${this.number} 2 IN IP4 127.0.0.1\r\n` };
  }
  async setRemoteDescription(): Promise<void> {
    this.signalingState = "stable";
  }
  close(): void {
    this.closed = true;
  }
  becomes(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

class FakeAudioContext {
  state = "running";
  createAnalyser = () => ({ fftSize: 0, getFloatTimeDomainData: () => undefined });
  createMediaStreamSource = () => ({ connect: () => undefined, disconnect: () => undefined });
  resume = async () => undefined;
  close = async () => undefined;
}

let states: VoiceState[];
let offers: string[];
let opened: FakeStream[];
let getUserMedia: ReturnType<typeof vi.fn>;
let voice: Voice;

function answerTo(connection: FakeConnection): string {
  return `v=0\r\na=offer:${connection.number}\r\n`;
}

async function answerLast(): Promise<FakeConnection> {
  await vi.advanceTimersByTimeAsync(0);
  const connection = FakeConnection.last;
  voice.answer(answerTo(connection));
  await vi.advanceTimersByTimeAsync(0);
  return connection;
}

async function onTheLine(): Promise<FakeConnection> {
  await voice.start();
  const connection = await answerLast();
  connection.becomes("connected");
  return connection;
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeConnection.all = [];
  [states, offers, opened] = [[], [], []];
  getUserMedia = vi.fn(async () => {
    const stream = new FakeStream();
    opened.push(stream);
    return stream;
  });
  vi.stubGlobal("RTCPeerConnection", FakeConnection);
  vi.stubGlobal("RTCRtpReceiver", {});
  vi.stubGlobal("AudioContext", FakeAudioContext);
  vi.stubGlobal("navigator", { mediaDevices: Object.assign(new EventTarget(), { getUserMedia }) });
  voice = new Voice({
    sendOffer: (sdp) => offers.push(sdp),
    onState: (state) => states.push(state),
    onLevels: () => undefined,
  });
});

afterEach(() => {
  voice.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("Voice", () => {
  it("goes on the line with no server but the room's, and places for five others", async () => {
    const connection = await onTheLine();
    expect(states).toEqual(["connecting", "on"]);
    expect(connection.configuration.iceServers).toEqual([]);
    expect(connection.directions).toEqual(["sendrecv", "recvonly", "recvonly", "recvonly", "recvonly"]);
    expect(offers).toHaveLength(1);
  });

  it("waits two seconds for a connection to mend itself", async () => {
    const connection = await onTheLine();
    connection.becomes("disconnected");
    await vi.advanceTimersByTimeAsync(1_900);
    connection.becomes("connected");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(states).toEqual(["connecting", "on"]);
    connection.becomes("disconnected");
    await vi.advanceTimersByTimeAsync(2_001);
    expect(states.at(-1)).toBe("lost");
  });

  it("comes back by itself after a failure and keeps the microphone", async () => {
    (await onTheLine()).becomes("failed");
    expect(states.at(-1)).toBe("lost");
    await vi.advanceTimersByTimeAsync(400);
    (await answerLast()).becomes("connected");
    expect(states).toEqual(["connecting", "on", "lost", "on"]);
    expect(FakeConnection.all.map((each) => each.closed)).toEqual([true, false]);
    expect(getUserMedia).toHaveBeenCalledTimes(1);
  });

  it("comes back at once when the server says goodbye", async () => {
    const connection = await onTheLine();
    connection.transport.state = "closed";
    connection.transport.dispatchEvent(new Event("statechange"));
    expect(states.at(-1)).toBe("lost");
  });

  it("offers again when no answer comes, less and less often", async () => {
    await voice.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states).toEqual(["connecting", "lost"]);
    expect(offers.length).toBeGreaterThan(4);
    expect(offers.length).toBeLessThan(9);
  });

  it("ignores the answer to an offer that another one has overtaken", async () => {
    await voice.start();
    await vi.advanceTimersByTimeAsync(0);
    const overtaken = FakeConnection.last;
    voice.reoffer();
    await vi.advanceTimersByTimeAsync(0);
    voice.answer(answerTo(overtaken));
    await vi.advanceTimersByTimeAsync(0);
    expect(FakeConnection.last.signalingState).toBe("have-local-offer");
    await answerLast();
    expect(FakeConnection.last.signalingState).toBe("stable");
  });

  it("is off after a refusal, without the microphone, until it is started again", async () => {
    await onTheLine();
    voice.reoffer();
    voice.refused();
    expect(states.at(-1)).toBe("off");
    expect(opened[0]?.tracks[0]?.readyState).toBe("ended");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states.at(-1)).toBe("off");
    await onTheLine();
    expect(states.at(-1)).toBe("on");
  });

  it("changes the microphone without a new offer, and stays muted", async () => {
    const connection = await onTheLine();
    voice.setMuted(true);
    expect(opened[0]?.tracks[0]?.enabled).toBe(false);
    await voice.start("usb");
    expect(offers).toHaveLength(1);
    expect(connection.sender.replaceTrack).toHaveBeenCalledWith(opened[1]?.tracks[0]);
    expect(opened[1]?.tracks[0]?.enabled).toBe(false);
    expect(opened[0]?.tracks[0]?.readyState).toBe("ended");
    voice.setMuted(false);
    expect(opened[1]?.tracks[0]?.enabled).toBe(true);
  });

  it("says denied and hears all the same", async () => {
    getUserMedia.mockRejectedValue(Object.assign(new Error(), { name: "NotAllowedError" }));
    const connection = await onTheLine();
    expect(states).toEqual(["connecting", "denied"]);
    expect(connection.directions[0]).toBe("sendrecv");
    connection.becomes("failed");
    expect(states.at(-1)).toBe("lost");
  });

  it("takes another microphone when its own is pulled out, and one that is plugged in", async () => {
    const connection = await onTheLine();
    getUserMedia.mockRejectedValueOnce(Object.assign(new Error(), { name: "NotFoundError" }));
    opened[0]?.tracks[0]?.dispatchEvent(new Event("ended"));
    await vi.advanceTimersByTimeAsync(0);
    expect(states.at(-1)).toBe("missing");
    navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    await vi.advanceTimersByTimeAsync(0);
    expect(states.at(-1)).toBe("on");
    expect(connection.sender.replaceTrack).toHaveBeenLastCalledWith(opened[1]?.tracks[0]);
    expect(offers).toHaveLength(1);
  });

  it("gives back a microphone that the person allowed after hanging up", async () => {
    let allow: (stream: FakeStream) => void = () => undefined;
    getUserMedia.mockReturnValueOnce(
      new Promise<FakeStream>((done) => {
        allow = done;
      }),
    );
    const starting = voice.start();
    voice.close();
    const late = new FakeStream();
    allow(late);
    await starting;
    expect(late.tracks[0]?.readyState).toBe("ended");
    expect(FakeConnection.all).toHaveLength(0);
    expect(states).toEqual(["connecting", "off"]);
  });

  it("offers at once when the network is back", async () => {
    (await onTheLine()).becomes("failed");
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(0);
    expect(offers).toHaveLength(2);
  });
});
