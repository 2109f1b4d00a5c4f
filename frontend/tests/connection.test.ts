import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection, LONGEST_WAIT_MS, OPENING_MS, SILENCE_MS, type Status } from "../src/connection";
import type { ClientMessage, ServerMessage } from "../src/wire";
import { FakeSocket, seeded, welcome } from "./sockets";

let sockets: FakeSocket[];
let statuses: Status[];
let heard: ServerMessage[];
let ended: [string, string][];
let connection: Connection;

const VECTOR = new Uint8Array([7]);
const last = () => sockets.at(-1) as FakeSocket;
const line = (key: string): ClientMessage => ({ kind: "Say", key, text: `line ${key}` });
const keys = (socket: FakeSocket) => socket.durable.map((message) => (message as { key: string }).key);

function connect(random: () => number = () => 0): Connection {
  return new Connection({
    url: "ws://room",
    vector: () => VECTOR,
    onMessage: (message) => heard.push(message),
    onStatus: (status) => statuses.push(status),
    onClosed: (code, sentence) => ended.push([code, sentence]),
    openSocket: (url) => {
      sockets.push(new FakeSocket(url));
      return last();
    },
    random,
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  statuses = [];
  heard = [];
  ended = [];
  connection = connect();
});

afterEach(() => {
  connection.close();
  expect(vi.getTimerCount()).toBe(0); // nothing is left behind
  vi.useRealTimers();
});

describe("what is saved", () => {
  it("is what the server has committed, not what was sent", () => {
    last().say(welcome(0));
    expect(statuses).toEqual(["saved"]);
    connection.send(line("a"));
    connection.send(line("b"));
    expect(keys(last())).toEqual(["a", "b"]);
    expect(connection.status).toBe("saving");
    last().say({ kind: "Committed", after_seq: 0, seq: 1, saved: 1 });
    expect(connection.status).toBe("saving");
    expect(connection.unsaved).toBe(true);
    last().say({ kind: "Committed", after_seq: 1, seq: 2, saved: 2 });
    expect(connection.status).toBe("saved");
    expect(connection.unsaved).toBe(false);
  });

  it("goes out again, in order, on the next socket, and only what was not acknowledged", () => {
    last().say(welcome(0));
    for (const key of ["a", "b", "c"]) connection.send(line(key));
    last().say({ kind: "Committed", after_seq: 0, seq: 1, saved: 1 });
    last().drop();
    expect(connection.status).toBe("reconnecting");
    connection.send(line("d"));
    vi.runOnlyPendingTimers();
    expect(last().durable).toEqual([]); // not before the room says welcome
    last().say(welcome(1));
    expect(keys(last())).toEqual(["b", "c", "d"]);
    last().say({ kind: "Committed", after_seq: 1, seq: 4, saved: 3 });
    expect(connection.status).toBe("saved");
  });

  it("waits for the first socket too", () => {
    connection.send(line("early"));
    expect(connection.unsaved).toBe(true);
    last().say(welcome(0));
    expect(keys(last())).toEqual(["early"]);
  });

  it("does not keep what is volatile", () => {
    const cursor: ClientMessage = { kind: "Awareness", update: new Uint8Array([1]) };
    expect(connection.send(cursor)).toBe(false);
    last().say(welcome(0));
    expect(connection.send(cursor)).toBe(true);
    expect(connection.unsaved).toBe(false);
    last().drop();
    vi.runOnlyPendingTimers();
    last().say(welcome(0));
    expect(last().sent.map(({ kind }) => kind)).toEqual(["SyncStep1"]);
  });
});

describe("a gap", () => {
  it("asks for the room after our place and for the rest of the code, once", () => {
    last().say(welcome(5));
    last().sent = [];
    last().say({ kind: "Committed", after_seq: 7, seq: 8, saved: 0 });
    last().say({ kind: "Committed", after_seq: 8, seq: 9, saved: 0 });
    expect(last().sent).toEqual([
      { kind: "Resume", after_seq: 5 },
      { kind: "SyncStep1", vector: VECTOR },
    ]);
    last().say(welcome(9));
    last().sent = [];
    last().say({ kind: "Committed", after_seq: 9, seq: 10, saved: 0 });
    expect(last().sent).toEqual([]);
  });

  it("is also code that was asked for and does not come", () => {
    last().say(welcome(5));
    last().sent = [];
    const beat = () => last().say({ kind: "Beat", seq: 5, at_ms: 1 });
    beat();
    beat();
    expect(last().sent).toEqual([]);
    beat();
    expect(last().sent.map(({ kind }) => kind)).toEqual(["Resume", "SyncStep1"]);
    last().say(welcome(5));
    last().rest();
    for (let times = 0; times < 5; times += 1) beat();
    expect(last().sent).toHaveLength(2);
  });

  it("shows in a beat as well", () => {
    last().say(welcome(5));
    last().sent = [];
    last().say({ kind: "Beat", seq: 5, at_ms: 1 });
    expect(last().sent).toEqual([]);
    last().say({ kind: "Beat", seq: 6, at_ms: 2 });
    expect(last().sent[0]).toEqual({ kind: "Resume", after_seq: 5 });
  });
});

describe("coming back", () => {
  it.each([1006, 1001, 1011, 1012, 1013, 4508])("follows close code %i", (code) => {
    last().say(welcome(0));
    last().drop(code);
    expect(connection.status).toBe("reconnecting");
    vi.runOnlyPendingTimers();
    expect(sockets).toHaveLength(2);
  });

  it.each([
    [1009, "frame_too_large"],
    [4400, "bad_frame"],
    [4401, "signed_out"],
    [4404, "no_such_room"],
    [4410, "room_ended"],
  ])("does not follow close code %i", (code, word) => {
    last().say(welcome(0));
    last().drop(code, "The server's words.");
    vi.advanceTimersByTime(60_000);
    window.dispatchEvent(new Event("online"));
    expect(sockets).toHaveLength(1);
    expect(connection.status).toBe("closed");
    expect(ended).toEqual([[word, "The server's words."]]);
  });

  it("waits longer each time, up to a limit, and starts afresh after a connection that held", () => {
    const waits: number[] = [];
    const waitForNext = () => {
      const before = sockets.length;
      const start = Date.now();
      last().drop();
      while (sockets.length === before) vi.advanceTimersByTime(1);
      waits.push(Date.now() - start);
    };
    for (let tries = 0; tries < 8; tries += 1) waitForNext();
    expect(waits).toEqual([125, 250, 500, 1000, 2000, 2000, 2000, 2000]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(LONGEST_WAIT_MS);
    last().say(welcome(0));
    last().say({ kind: "Beat", seq: 0, at_ms: 5000 });
    waits.length = 0;
    waitForNext();
    expect(waits).toEqual([125]);
  });

  it("does not wait when the network says that it is back", () => {
    for (let tries = 0; tries < 6; tries += 1) {
      last().drop();
      if (tries < 5) vi.runOnlyPendingTimers();
    }
    const before = sockets.length;
    window.dispatchEvent(new Event("online"));
    expect(sockets).toHaveLength(before + 1);
    window.dispatchEvent(new Event("online"));
    expect(sockets).toHaveLength(before + 1); // one is being opened already
  });

  it("takes silence for a drop, and does not listen to the old socket any more", () => {
    last().say(welcome(0));
    vi.advanceTimersByTime(SILENCE_MS - 1);
    last().say({ kind: "Beat", seq: 0, at_ms: 1 });
    vi.advanceTimersByTime(SILENCE_MS - 1);
    expect(sockets).toHaveLength(1);
    const [first] = sockets as [FakeSocket];
    vi.advanceTimersByTime(1);
    expect(connection.status).toBe("reconnecting");
    expect(first.closed).toBe(true);
    vi.advanceTimersByTime(200);
    expect(sockets).toHaveLength(2);
    first.say({ kind: "Beat", seq: 99, at_ms: 2 });
    first.drop(4410);
    expect(ended).toEqual([]);
  });

  it("gives up on a socket that never welcomes", () => {
    vi.advanceTimersByTime(OPENING_MS);
    vi.advanceTimersByTime(200);
    expect(sockets).toHaveLength(2);
    expect(connection.status).toBe("connecting");
  });
});

it("skips frames it does not know and goes on", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  last().say(welcome(0));
  last().onmessage?.({ data: "text" });
  last().onmessage?.({ data: new Uint8Array([200, 1]).buffer });
  last().say({ kind: "Beat", seq: 0, at_ms: 9 });
  expect(heard.map(({ kind }) => kind)).toEqual(["Welcome", "Beat"]);
  expect(warn).toHaveBeenCalledTimes(2);
});

/**
 * A server that keeps each key once, commits in batches, and a network that breaks at any moment: while
 * something is under way in either direction, and while the page writes on.
 */
describe.each(Array.from({ length: 200 }, (_, seed) => seed))("drops, seed %i", (seed) => {
  it("loses nothing and doubles nothing", () => {
    const random = seeded(seed);
    connection.close();
    connection = connect(random);
    const log: string[] = [];
    let written = 0;
    let read = 0; // how much of this socket's durable messages the server has read
    let welcomed: FakeSocket | undefined;
    const serve = (most: number) => {
      if (last().closed) return;
      if (welcomed !== last()) {
        welcomed = last();
        read = 0;
        last().say(welcome(log.length));
        return;
      }
      const before = log.length;
      for (const key of keys(last()).slice(read, read + most)) {
        if (!log.includes(key)) log.push(key);
        read += 1;
      }
      // Its commit may be the last thing that happens: the acknowledgement is lost with the socket.
      if (random() < 0.3) return last().drop();
      last().say({ kind: "Committed", after_seq: before, seq: log.length, saved: read });
    };
    for (let step = 0; step < 120; step += 1) {
      const dice = random();
      if (dice < 0.45) connection.send(line(`${written++}`));
      else if (dice < 0.8) serve(1 + Math.floor(random() * 4));
      else if (dice < 0.88) last().drop(random() < 0.5 ? 1006 : 1012);
      else vi.advanceTimersByTime(Math.floor(random() * 6_000));
      if (connection.status === "saved") expect(log).toHaveLength(written);
    }
    for (let more = 0; more < 400 && (connection.unsaved || connection.status !== "saved"); more += 1) {
      vi.advanceTimersByTime(2_000);
      serve(10);
    }
    expect(connection.status).toBe("saved");
    expect(log).toEqual(Array.from({ length: written }, (_, index) => `${index}`));
  });
});
