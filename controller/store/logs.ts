// Streams of bytes beside the objects, in the same file and the same group commits. Appending is idempotent by offset;
// past LOG_MAX_BYTES bytes are counted and dropped, so a stream holds its beginning.
import type { Database } from "better-sqlite3";
import { LOG_CHUNK_BYTES, LOG_MAX_BYTES } from "../limits.ts";
import { LogGapError } from "./errors.ts";
import type { GroupCommit } from "./group-commit.ts";
import { prepare } from "./prepared.ts";
import { query } from "./schema.ts";
import type { LogStore } from "./store.ts";

interface Waiter {
  readonly prefix: string;
  readonly wake: () => void;
}

/** `maxBytes` of each stream are kept. */
export function logStore(db: Database, commits: GroupCommit, maxBytes = LOG_MAX_BYTES): LogStore {
  const statements = logStatements(db);
  const waiters = new Set<Waiter>();

  /** Answers whether the stream has grown. */
  function add(name: string, offset: number, data: Uint8Array): boolean {
    const stream = statements.find.get({ name });
    const received = stream?.received ?? 0;
    if (offset > received) throw new LogGapError(name, offset, received);
    const fresh = data.subarray(received - offset);
    if (fresh.length === 0) return false;

    if (!stream) statements.create.run({ name });
    const { id = 0, kept = 0 } = stream ?? statements.find.get({ name }) ?? {};
    // Once bytes were dropped nothing more is kept, even if the limit was raised since: a stream has no holes.
    const room = kept < received ? 0 : maxBytes - kept;
    const keep = fresh.subarray(0, Math.max(room, 0));
    for (let at = 0; at < keep.length; at += LOG_CHUNK_BYTES) {
      statements.addChunk.run({ stream: id, start: kept + at, data: keep.subarray(at, at + LOG_CHUNK_BYTES) });
    }
    statements.grow.run({ id, received: received + fresh.length, kept: kept + keep.length });
    return true;
  }

  async function append(stream: string, offset: number, data: Uint8Array): Promise<void> {
    const grown = await commits.submit(() => add(stream, offset, data));
    if (!grown) return;
    for (const waiter of waiters) if (stream.startsWith(waiter.prefix)) waiter.wake();
  }

  async function read(name: string, offset: number, limit: number): Promise<Uint8Array> {
    const stream = statements.find.get({ name });
    if (!stream || limit <= 0) return new Uint8Array();
    const parts: Uint8Array[] = [];
    let [at, left] = [offset, limit];
    while (left > 0 && at < stream.kept) {
      const chunk = statements.chunkAt.get({ stream: stream.id, at });
      const part = chunk?.data.subarray(at - chunk.start, at - chunk.start + left);
      if (!part || part.length === 0) break;
      parts.push(part);
      at += part.length;
      left -= part.length;
    }
    return Buffer.concat(parts);
  }

  function changed(prefix: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const waiter: Waiter = { prefix, wake };
      function wake(): void {
        waiters.delete(waiter);
        signal.removeEventListener("abort", wake);
        resolve();
      }
      waiters.add(waiter);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  return {
    append,
    read,
    size: async (name) => statements.find.get({ name })?.received ?? 0,
    streams: async (prefix) => statements.below.all(range(prefix)).map(({ name }) => name),
    changed,
    drop: (prefix) =>
      commits.submit(() => {
        statements.dropChunks.run(range(prefix));
        statements.dropStreams.run(range(prefix));
      }),
  };
}

/** Every name that begins with `prefix` is at or after it and before it followed by the last character there is. */
function range(prefix: string): { readonly from: string; readonly to: string } {
  return { from: prefix, to: `${prefix}\u{10ffff}` };
}

function logStatements(db: Database) {
  return {
    find: prepare<{ name: string }>(db)((slot) =>
      query.selectFrom("log_streams").select(["id", "received", "kept"]).where("name", "=", slot("name")),
    ),
    create: prepare<{ name: string }>(db)((slot) =>
      query.insertInto("log_streams").values({ name: slot("name"), received: 0, kept: 0 }),
    ),
    grow: prepare<{ id: number; received: number; kept: number }>(db)((slot) =>
      query
        .updateTable("log_streams")
        .set({ received: slot("received"), kept: slot("kept") })
        .where("id", "=", slot("id")),
    ),
    addChunk: prepare<{ stream: number; start: number; data: Uint8Array }>(db)((slot) =>
      query.insertInto("log_chunks").values({ stream: slot("stream"), start: slot("start"), data: slot("data") }),
    ),
    chunkAt: prepare<{ stream: number; at: number }>(db)((slot) =>
      query
        .selectFrom("log_chunks")
        .select(["start", "data"])
        .where("stream", "=", slot("stream"))
        .where("start", "<=", slot("at"))
        .orderBy("start", "desc")
        .limit(1),
    ),
    below: prepare<{ from: string; to: string }>(db)((slot) =>
      query
        .selectFrom("log_streams")
        .select("name")
        .where("name", ">=", slot("from"))
        .where("name", "<", slot("to"))
        .orderBy("name"),
    ),
    dropChunks: prepare<{ from: string; to: string }>(db)((slot) =>
      query
        .deleteFrom("log_chunks")
        .where("stream", "in", (select) =>
          select
            .selectFrom("log_streams")
            .select("id")
            .where("name", ">=", slot("from"))
            .where("name", "<", slot("to")),
        ),
    ),
    dropStreams: prepare<{ from: string; to: string }>(db)((slot) =>
      query.deleteFrom("log_streams").where("name", ">=", slot("from")).where("name", "<", slot("to")),
    ),
  };
}
