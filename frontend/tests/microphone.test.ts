import { afterEach, describe, expect, it, vi } from "vitest";
import {
  constraintsFor,
  levelOf,
  listMicrophones,
  NoMicrophone,
  openMicrophone,
  whyOf,
} from "../src/room/microphone";

function withDevices(devices: Partial<MediaDevices> | undefined): void {
  vi.stubGlobal("navigator", { mediaDevices: devices });
}

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

afterEach(() => vi.unstubAllGlobals());

describe("levelOf", () => {
  const sine = (loud: number) => Float32Array.from({ length: 2048 }, (_, i) => loud * Math.sin(i / 5));

  it("is 0 for silence and for what is too soft to hear", () => {
    expect(levelOf(new Float32Array(2048))).toBe(0);
    expect(levelOf(sine(0.0005))).toBe(0);
  });

  it("grows evenly with loudness and ends at 1", () => {
    const step = (soft: number, loud: number) => levelOf(sine(loud)) - levelOf(sine(soft));
    expect(step(0.01, 0.1)).toBeCloseTo(20 / 60, 2);
    expect(step(0.1, 1)).toBeCloseTo(20 / 60, 2);
    expect(levelOf(new Float32Array(2048).fill(1))).toBe(1);
  });
});

describe("openMicrophone", () => {
  it("asks for what speech needs, and for exactly the chosen device", () => {
    const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    expect(constraintsFor().audio).toMatchObject(wanted);
    expect(constraintsFor().audio).not.toHaveProperty("deviceId");
    expect(constraintsFor("usb").audio).toMatchObject({ ...wanted, deviceId: { exact: "usb" } });
  });

  it("takes the system's when the chosen one is gone", async () => {
    const stream = {} as MediaStream;
    const getUserMedia = vi
      .fn()
      .mockRejectedValueOnce(named("OverconstrainedError"))
      .mockResolvedValue(stream);
    withDevices({ getUserMedia });
    expect(await openMicrophone("gone")).toBe(stream);
    expect(getUserMedia.mock.calls[1]).toEqual([constraintsFor()]);
  });

  it("does not ask again after a no", async () => {
    const getUserMedia = vi.fn().mockRejectedValue(named("NotAllowedError"));
    withDevices({ getUserMedia });
    await expect(openMicrophone("usb")).rejects.toMatchObject({ why: "denied" });
    expect(getUserMedia).toHaveBeenCalledTimes(1);
  });

  it("is missing where the browser hides it", async () => {
    withDevices(undefined);
    await expect(openMicrophone()).rejects.toBeInstanceOf(NoMicrophone);
  });

  it.each([
    ["NotAllowedError", "denied"],
    ["SecurityError", "denied"],
    ["NotFoundError", "missing"],
    ["NotReadableError", "missing"],
  ])("%s means %s", (name, why) => {
    expect(whyOf(named(name))).toBe(why);
  });
});

describe("listMicrophones", () => {
  it("names those that the browser does not name yet", async () => {
    const device = (kind: string, deviceId: string, label: string) => ({ kind, deviceId, label });
    const enumerateDevices = async () =>
      [
        device("audioinput", "default", "Desk microphone"),
        device("audiooutput", "speaker", "Speaker"),
        device("audioinput", "usb", ""),
      ] as MediaDeviceInfo[];
    withDevices({ enumerateDevices });
    expect(await listMicrophones()).toEqual([
      { id: "default", label: "Desk microphone" },
      { id: "usb", label: "Microphone 2" },
    ]);
  });

  it("is empty where there is none", async () => {
    withDevices(undefined);
    expect(await listMicrophones()).toEqual([]);
  });
});
