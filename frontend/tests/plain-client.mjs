/**
 * An ordinary Yjs client in a process of its own: y-websocket as it comes, told what to do by lines of JSON.
 *
 * The first line says where to connect and as whom; every later one is an order. Each change of what the client
 * knows is printed as one line of JSON, so that who drives it can wait for a state instead of a time.
 */
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { serverUrl, room, cookie, origin } = JSON.parse((await lines.next()).value);

/** What a browser adds to a socket by itself. */
class Browser extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { headers: { Cookie: cookie, Origin: origin } });
  }
}

// The client says this of every message of a newer protocol, and goes on; here it would only be noise.
console.error = () => {};

const doc = new Y.Doc();
const text = doc.getText("code");
const provider = new WebsocketProvider(serverUrl, room, doc, {
  WebSocketPolyfill: Browser,
  disableBc: true,
  maxBackoffTime: 500,
});
const { awareness } = provider;
let connections = 0;
let lastClose = null;

function tell() {
  const others = [...awareness.getStates()].filter(([client]) => client !== doc.clientID);
  const state = {
    clientId: doc.clientID,
    text: text.toString(),
    status: provider.wsconnected ? "connected" : "disconnected",
    synced: provider.synced,
    connections,
    lastClose,
    others: Object.fromEntries(others),
  };
  process.stdout.write(`${JSON.stringify(state)}\n`);
}

provider.on("status", ({ status }) => {
  if (status === "connected") connections += 1;
  tell();
});
provider.on("connection-close", (event) => {
  lastClose = event?.code ?? null;
  tell();
});
provider.on("sync", tell);
doc.on("update", tell);
awareness.on("change", tell);

const orders = {
  insert: ({ at, words }) => text.insert(at, words),
  append: ({ words }) => text.insert(text.length, words),
  remove: ({ at, length }) => text.delete(at, length),
  claim: ({ user }) => awareness.setLocalStateField("user", user),
  point: ({ at }) => {
    const position = Y.createRelativePositionFromTypeIndex(text, at);
    awareness.setLocalStateField("cursor", { anchor: position, head: position });
  },
  /** Loses the connection as when the network goes. */
  cut: () => provider.ws.terminate(),
  leave: () => provider.disconnect(),
  come: () => provider.connect(),
};

for await (const line of lines) {
  const order = JSON.parse(line);
  orders[order.do](order);
  tell();
}
provider.destroy();
process.exit(0);
