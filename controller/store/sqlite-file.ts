// Opens the file for this process alone. The lock is SQLite's own, held from here to the close and let go by the
// operating system when the process dies; the note beside it only lets a refused process say who holds it.
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { messageOf } from "../kernel/errors.ts";
import { makeFolder } from "../kernel/folder.ts";
import { DATABASE_LOCK_WAIT_MS, WAL_CHECKPOINT_PAGES } from "../limits.ts";
import { RefusedDatabaseError } from "./errors.ts";

export interface SqliteFile {
  readonly db: Database;
  close(): void;
}

/** RefusedDatabaseError when another process has it, or it cannot be read as a database. */
export function openFile(file: string): SqliteFile {
  const inMemory = file === ":memory:";
  if (!inMemory) makePrivate(file);
  const db = new SqliteDatabase(file, { timeout: DATABASE_LOCK_WAIT_MS });
  try {
    // Read for a new file only: three objects of 2 KiB on a page, where 4 KiB would hold one and waste the rest.
    db.pragma("page_size = 8192");
    takeLock(db);
    // A commit that was answered survives a power cut.
    db.pragma("synchronous = FULL");
    db.pragma(`wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`);
    db.pragma("cache_size = -65536");
  } catch (error) {
    db.close();
    throw new RefusedDatabaseError(refusal(file, error), { cause: error });
  }
  if (inMemory) return { db, close: () => db.close() };

  const note = noteOf(file);
  leaveNote(note);
  return {
    db,
    close() {
      rmSync(note, { force: true });
      db.close();
    },
  };
}

/** Objects may hold what only their owner should read. SQLite gives its journal the mode of the file. */
function makePrivate(file: string): void {
  makeFolder(dirname(file));
  closeSync(openSync(file, "a", 0o600));
}

/** With locking_mode exclusive the first transaction takes the lock, and keeps it. */
function takeLock(db: Database): void {
  db.pragma("locking_mode = EXCLUSIVE");
  db.pragma("journal_mode = WAL");
  db.exec("begin exclusive; commit");
}

function noteOf(file: string): string {
  return `${file}.owner`;
}

/** Whether a refusal of `openFile` means that another process has the file. */
export function isInUse(refused: unknown): boolean {
  return refused instanceof RefusedDatabaseError && isBusy(refused.cause);
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY");
}

function refusal(file: string, error: unknown): string {
  if (!isBusy(error)) return `${file} cannot be opened as a database`;
  return `${file} is in use by ${readOwner(file)}: one process owns a database; stop that one, or name another file`;
}

/** For people only: a disk that has no room for it keeps no server from starting. */
function leaveNote(note: string): void {
  try {
    writeFileSync(note, `process ${process.pid} on ${hostname()}`);
  } catch (_error) {
    rmSync(note, { force: true }); // what an earlier process has left there would name the wrong one
  }
}

/** The note outlives a process that is killed; then it names nobody. */
function readOwner(file: string): string {
  try {
    const text = readFileSync(noteOf(file), "utf8").trim();
    const [, pid, host] = /^process (\d+) on (.*)$/.exec(text) ?? [];
    return pid === undefined || (host === hostname() && !isAlive(Number(pid))) ? "another process" : text;
  } catch (error) {
    return `another process (${messageOf(error)})`;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // alive, and another user's
  }
}
