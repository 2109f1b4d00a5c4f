/** Large changes of the code in parts that each fit a frame: undoing a big deletion makes such a change. */
import * as encoding from "lib0/encoding";
import * as Y from "yjs";

type Struct = ReturnType<typeof Y.decodeUpdate>["structs"][number];
type DeleteSet = ReturnType<typeof Y.decodeUpdate>["ds"];

/** Room for the head of a part: number of structs, client, clock, origins. */
const HEAD_BYTES = 128;

/**
 * V1 updates of at most `limit_bytes` that amount to this one when applied in order.
 *
 * Each part goes on where the one before stopped, so that none of them has to wait for a later one.
 */
export function inParts(update: Uint8Array, limit_bytes: number): Uint8Array[] {
  if (update.length <= limit_bytes) return [update];
  const { structs, ds } = Y.decodeUpdate(update);
  const parts: Uint8Array[] = [];
  let run: Struct[] = [];
  let run_bytes = 0;
  const flush = () => {
    if (run.length > 0) parts.push(encodeStructs(run));
    run = [];
    run_bytes = 0;
  };
  for (const struct of structs.flatMap((each) => cut(each, limit_bytes - HEAD_BYTES))) {
    const size_bytes = encodeStructs([struct]).length;
    if (run_bytes + size_bytes > limit_bytes - HEAD_BYTES || !follows(run.at(-1), struct)) flush();
    run.push(struct);
    run_bytes += size_bytes;
  }
  flush();
  return [...parts, ...encodeDeletions(ds, limit_bytes)];
}

/** One string item as several, each behind the last letter of the one before: what Yjs itself does. */
function cut(struct: Struct, limit_bytes: number): Struct[] {
  if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentString)) return [struct];
  const text = struct.content.str;
  const step = Math.floor(limit_bytes / 3); // a UTF-16 unit takes at most three bytes
  if (text.length <= step) return [struct];
  const pieces: Struct[] = [];
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + step, text.length);
    if (isLowSurrogate(text.charCodeAt(to))) to -= 1;
    pieces.push(
      new Y.Item(
        Y.createID(struct.id.client, struct.id.clock + from),
        null,
        from === 0 ? struct.origin : Y.createID(struct.id.client, struct.id.clock + from - 1),
        null,
        struct.rightOrigin,
        struct.parent,
        struct.parentSub,
        new Y.ContentString(text.slice(from, to)),
      ),
    );
    from = to;
  }
  return pieces;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function follows(before: Struct | undefined, struct: Struct): boolean {
  if (before === undefined) return true;
  return before.id.client === struct.id.client && before.id.clock + before.length === struct.id.clock;
}

function encodeStructs(run: Struct[]): Uint8Array {
  const encoder = new Y.UpdateEncoderV1();
  const first = run[0] as Struct;
  writeVarUint(encoder, 1);
  writeVarUint(encoder, run.length);
  encoder.writeClient(first.id.client);
  writeVarUint(encoder, first.id.clock);
  for (const struct of run) struct.write(encoder, 0);
  writeVarUint(encoder, 0); // deletes nothing
  return encoder.toUint8Array();
}

function encodeDeletions(ds: DeleteSet, limit_bytes: number): Uint8Array[] {
  const at_once = Math.floor((limit_bytes - HEAD_BYTES) / 16); // clock and length, eight bytes each at most
  const parts: Uint8Array[] = [];
  for (const [client, ranges] of ds.clients) {
    for (let from = 0; from < ranges.length; from += at_once) {
      const some = ranges.slice(from, from + at_once);
      const encoder = new Y.UpdateEncoderV1();
      writeVarUint(encoder, 0); // adds nothing
      writeVarUint(encoder, 1);
      writeVarUint(encoder, client);
      writeVarUint(encoder, some.length);
      for (const { clock, len } of some) {
        encoder.writeDsClock(clock);
        encoder.writeDsLen(len);
      }
      parts.push(encoder.toUint8Array());
    }
  }
  return parts;
}

function writeVarUint(encoder: Y.UpdateEncoderV1, number: number): void {
  encoding.writeVarUint(encoder.restEncoder, number);
}
