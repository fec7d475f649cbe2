// Statements on a database file that nobody else has, in a thread of its own: reading a hundred megabytes from end to end
// takes a second, in which the event loop has better things to do.
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { CompiledQuery } from "kysely";

export interface Apart {
  readonly file: string;
  /** Otherwise the statements are one transaction. */
  readonly readonly: boolean;
  readonly statements: readonly Pick<CompiledQuery, "sql" | "parameters">[];
  /** The one table that is no part of the digest. */
  readonly undigested: string;
}

export type Row = Readonly<Record<string, unknown>>;

export interface Found {
  /** Of each statement, in order. */
  readonly rows: readonly (readonly Row[])[];
  /** SHA-256 of every cell of every table afterwards, hexadecimal. */
  readonly digest: string;
}

export function runApart(work: Apart, signal: AbortSignal): Promise<Found> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const driver = createRequire(import.meta.url).resolve("better-sqlite3");
    const worker = new Worker(THREAD, { eval: true, workerData: { ...work, driver } });
    const giveUp = () => {
      reject(signal.reason);
      void worker.terminate();
    };
    signal.addEventListener("abort", giveUp, { once: true });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => {
      signal.removeEventListener("abort", giveUp);
      reject(new Error(`the thread for ${work.file} ended without an answer`));
    });
  });
}

/**
 * Text, because there is no file that a thread could begin with both in the bundle and in the source. A cell is hashed
 * with its type and length before it, so that no two contents are the same text.
 */
const THREAD = `
const { createHash } = require("node:crypto");
const { parentPort, workerData } = require("node:worker_threads");
const { driver, file, readonly, statements, undigested } = workerData;
const db = new (require(driver))(file, { fileMustExist: true, readonly });
if (!readonly) db.pragma("journal_mode = delete"); // the file alone is all of it
function run({ sql, parameters }) {
  const statement = db.prepare(sql);
  if (statement.reader) return statement.all(...parameters);
  statement.run(...parameters);
  return [];
}
function digest() {
  const hash = createHash("sha256");
  const tables = db.prepare("select name from sqlite_schema where type = 'table' order by name").pluck().all();
  for (const table of tables.filter((each) => each !== undigested)) {
    hash.update("table " + table + "\\n");
    for (const row of db.prepare('select * from "' + table + '"').raw().iterate()) {
      for (const cell of row) {
        const bytes = Buffer.isBuffer(cell) ? cell : Buffer.from(String(cell));
        hash.update((cell === null ? "null" : typeof cell) + " " + bytes.length + " ").update(bytes);
      }
    }
  }
  return hash.digest("hex");
}
try {
  parentPort.postMessage(db.transaction(() => ({ rows: statements.map(run), digest: digest() }))());
} finally {
  db.close();
}
`;
