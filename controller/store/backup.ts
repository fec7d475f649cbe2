// A copy of the database while it is in use, in one file, with the keys that it is of little use without. After a
// checkpoint the file holds every write that was answered, and until the next one nothing touches it: so it is copied
// outside this process, while writes go on into the journal beside it.
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { type FileHandle, open, rm, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { type Clock, preciseTimestamp } from "../kernel/clock.ts";
import { assert, messageOf } from "../kernel/errors.ts";
import { BACKUP_RESERVE_BYTES, WAL_CHECKPOINT_PAGES } from "../limits.ts";
import { type BackupManifest, inspect } from "./backup-manifest.ts";
import { copyLocked } from "./copy-file.ts";
import { UnavailableError } from "./errors.ts";
import { query } from "./schema.ts";

/** What goes with the database. */
export interface BackupExtras extends Pick<BackupManifest, "version" | "app" | "elsewhere"> {
  readonly files: readonly { readonly name: string; readonly content: string }[];
}

export interface Backup {
  readonly manifest: BackupManifest;
  readonly bytes: number;
  /** Of the whole file, hexadecimal. */
  readonly sha256: string;
  /** The file; to be read to its end, or cancelled. */
  readonly content: ReadableStream<Uint8Array>;
}

export interface Backups {
  /** One at a time. UnavailableError when another one is being taken, or there is no room for the copy. */
  take(extras: BackupExtras, signal: AbortSignal): Promise<Backup>;
  /** Resolves when none is being taken. */
  idle(): Promise<void>;
}

export function backups(db: Database, clock: Clock): Backups {
  const copy = `${db.name}.backup`;
  if (!db.memory) rmSync(copy, { force: true }); // of a process that died over it
  let underWay: Promise<unknown> | undefined;

  /** The file as it is now, whatever is written meanwhile. Answers when that now was. */
  async function copyFrozen(signal: AbortSignal): Promise<number> {
    db.pragma("wal_autocheckpoint = 0");
    try {
      const [result] = db.pragma("wal_checkpoint(TRUNCATE)") as readonly { readonly busy: number }[]; // as documented
      assert(result?.busy === 0, "the only connection to the database could not checkpoint");
      const takenAtMs = clock.now();
      await (await open(copy, "wx", 0o600)).close();
      await copyLocked(db.name, copy, signal);
      return takenAtMs;
    } finally {
      db.pragma(`wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`);
    }
  }

  async function take({ files, ...about }: BackupExtras, signal: AbortSignal): Promise<Backup> {
    try {
      await refuseWithoutRoom(db.name);
      const takenAtMs = await copyFrozen(signal);
      const contents = await inspect(copy, signal, enclosing(files));
      const manifest = { format: 1, takenAt: preciseTimestamp(takenAtMs), ...about, ...contents } as const;
      sign(copy, manifest);
      return { manifest, ...(await opened(copy, signal)) };
    } catch (error) {
      signal.throwIfAborted();
      if (/ENOSPC|SQLITE_FULL|disk is full/.test(messageOf(error)))
        throw new UnavailableError(`no room for a copy of the database: ${messageOf(error)}`, { cause: error });
      throw error;
    } finally {
      await rm(copy, { force: true }); // what is being read lives on until it is closed
    }
  }

  return {
    async take(extras, signal) {
      if (db.memory) throw new UnavailableError("a database in memory has no file to copy");
      if (underWay) throw new UnavailableError("another backup is being taken; try again when it is done");
      const taking = take(extras, signal);
      underWay = taking.catch(() => undefined); // whoever asked for it is told
      try {
        return await taking;
      } finally {
        underWay = undefined;
      }
    },
    async idle() {
      await underWay;
    },
  };
}

/** A copy that fills the disk would stop the server itself. */
async function refuseWithoutRoom(file: string): Promise<void> {
  const [{ size }, { bavail, bsize }] = await Promise.all([stat(file), statfs(dirname(file))]);
  const free = bavail * bsize;
  if (free >= size + BACKUP_RESERVE_BYTES) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  throw new UnavailableError(
    `no room for a copy of the database: ${dirname(file)} has ${megabytes(free)} free, ${megabytes(size + BACKUP_RESERVE_BYTES)} are needed`,
  );
}

function enclosing(files: BackupExtras["files"]) {
  const { schema } = query;
  return [
    schema.createTable("backup_manifest").addColumn("json", "text", (column) => column.notNull()),
    schema
      .createTable("backup_files")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("content", "text", (column) => column.notNull()),
    ...files.map((file) => query.insertInto("backup_files").values(file)),
  ].map((each) => each.compile());
}

function sign(copy: string, manifest: BackupManifest): void {
  const { sql, parameters } = query
    .insertInto("backup_manifest")
    .values({ json: JSON.stringify(manifest) })
    .compile();
  const db = new SqliteDatabase(copy);
  try {
    db.pragma("synchronous = off"); // whoever keeps the file makes it durable where he keeps it
    db.prepare(sql).run(...parameters);
  } finally {
    db.close();
  }
}

async function opened(file: string, signal: AbortSignal): Promise<Omit<Backup, "manifest">> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const hash = createHash("sha256");
    for await (const chunk of handle.createReadStream({ start: 0, autoClose: false, signal })) hash.update(chunk);
    return { bytes: size, sha256: hash.digest("hex"), content: streamOf(handle) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Read as fast as it is taken. (Node's own `Readable.toWeb` throws where nobody can catch it when a reader leaves.) */
function streamOf(handle: FileHandle): ReadableStream<Uint8Array> {
  let position = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { bytesRead, buffer } = await handle.read(
        Buffer.alloc(STREAM_CHUNK_BYTES),
        0,
        STREAM_CHUNK_BYTES,
        position,
      );
      position += bytesRead;
      if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
      await handle.close();
      controller.close();
    },
    cancel: () => handle.close(),
  });
}

const STREAM_CHUNK_BYTES = 256 * 1024;
