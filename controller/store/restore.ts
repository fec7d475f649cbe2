// Puts a backup back where no server runs. Everything is read and judged on a copy beside the place it is meant for, and
// takes that place by a rename: until then nothing that is there has been touched. A restored database goes on above any
// revision that its former self can have given out, so nobody who remembers one mistakes the past for news.
import { closeSync, copyFileSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { basename, dirname } from "node:path";
import SqliteDatabase, { type Database } from "better-sqlite3";
import type { Compilable } from "kysely";
import { z } from "zod";
import { timestamp } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { makeFolder } from "../kernel/folder.ts";
import { jsonEqual } from "../kernel/json.ts";
import { silentLog } from "../kernel/log.ts";
import { type BackupManifest, backupManifest, inspect } from "./backup-manifest.ts";
import { COMPACTED } from "./compaction.ts";
import { RefusedDatabaseError } from "./errors.ts";
import { getMeta, putMeta } from "./meta.ts";
import { migrate } from "./migrate.ts";
import { MIGRATIONS } from "./migrations.ts";
import { query, type Tables } from "./schema.ts";
import { isInUse, openFile, type SqliteFile } from "./sqlite-file.ts";
import type { Restoration } from "./store.ts";

export interface Restoring {
  readonly manifest: BackupManifest;
  readonly files: readonly Tables["backup_files"][];
  /** The first revision after it will be the next one. */
  readonly revision: number;
  /** Takes the place. Answers where the database that had it is now, if there was one. */
  install(): string | undefined;
  /** Leaves nothing behind; to be called in the end, whatever became of it. */
  close(): void;
}

/** RefusedDatabaseError when `to` is in use, or exists and is not to be replaced, or `from` is not a whole backup. */
export async function openBackup(
  from: string,
  to: string,
  options: { readonly replace: boolean; readonly nowMs: number },
  signal: AbortSignal,
): Promise<Restoring> {
  const former = lockFormer(to, options.replace);
  const copy = `${to}.restoring`;
  const close = () => {
    former?.close();
    rmSync(copy, { force: true });
  };
  try {
    copyBackup(from, copy);
    await chmod(copy, 0o600);
    const { manifest, files } = await readBackup(copy, from, signal);
    const revision = goOn(copy, manifest, options.nowMs);
    const install = () => {
      former?.db.pragma("journal_mode = delete"); // what is put aside is one file
      const aside = former || existsSync(to) ? putAside(to, timestamp(options.nowMs)) : undefined;
      renameSync(copy, to);
      syncFolder(dirname(to));
      return aside;
    };
    return { manifest, files, revision, install, close };
  } catch (error) {
    close();
    throw error;
  }
}

export function readRestorations(db: Database): readonly Restoration[] {
  return z.array(restoration).parse(JSON.parse(getMeta(db, RESTORATIONS) ?? "[]"));
}

const RESTORATIONS = "restorations";
const restoration = z.object({ takenAtMs: z.number(), restoredAtMs: z.number() });

/** Holds what is there, so that no server begins with it meanwhile. What is no database any more cannot be held. */
function lockFormer(file: string, replace: boolean): SqliteFile | undefined {
  if (!existsSync(file)) return undefined;
  if (!replace) {
    throw new RefusedDatabaseError(`${file} exists: use --force to put it aside, or name another data directory`);
  }
  try {
    return openFile(file);
  } catch (error) {
    if (isInUse(error)) throw error;
    return undefined;
  }
}

function copyBackup(from: string, copy: string): void {
  try {
    makeFolder(dirname(copy));
    copyFileSync(from, copy);
  } catch (cause) {
    throw new RefusedDatabaseError(`cannot copy ${from} to ${dirname(copy)}`, { cause });
  }
}

async function readBackup(
  copy: string,
  from: string,
  signal: AbortSignal,
): Promise<Pick<Restoring, "manifest" | "files">> {
  const { manifest, files } = openManifest(copy, from);
  if (manifest.schema > MIGRATIONS.length) {
    throw new RefusedDatabaseError(
      `${from} was taken by version ${manifest.version}, which is newer than this program: restore it with that one`,
    );
  }
  const contents = await inspect(copy, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new RefusedDatabaseError(`${from} is damaged: ${messageOf(cause)}`, { cause });
  });
  const { digest, revision, objects, schema, controllerId } = manifest;
  if (!jsonEqual(contents, { digest, revision, objects, schema, controllerId }))
    throw new RefusedDatabaseError(`${from} is damaged: it does not hold what it says it holds`);
  return { manifest, files };
}

function openManifest(copy: string, from: string): Pick<Restoring, "manifest" | "files"> {
  const db = new SqliteDatabase(copy, { readonly: true });
  try {
    const text = all(db, query.selectFrom("backup_manifest").select("json"))[0]?.json;
    const manifest = backupManifest.parse(JSON.parse(text ?? ""));
    return { manifest, files: all(db, query.selectFrom("backup_files").selectAll()) };
  } catch (cause) {
    throw new RefusedDatabaseError(`${from} is not a whole backup of Flywheel`, { cause });
  } finally {
    db.close();
  }
}

/**
 * History before the backup is over: watchers list again. Revisions go on from the time in microseconds: no database
 * writes faster, so this is above all that was given out, also by one that was restored before.
 */
function goOn(file: string, manifest: BackupManifest, nowMs: number): number {
  const db = new SqliteDatabase(file);
  const revision = Math.max(manifest.revision + 1, nowMs * 1000);
  const restorations = [...readRestorations(db), { takenAtMs: Date.parse(manifest.takenAt), restoredAtMs: nowMs }];
  try {
    migrate(db, MIGRATIONS, silentLog, true);
    db.transaction(() => {
      run(db, query.schema.dropTable("backup_manifest"));
      run(db, query.schema.dropTable("backup_files"));
      run(
        db,
        query
          .deleteFrom("history")
          .where("revision", "not in", (select) => select.selectFrom("objects").select("revision")),
      );
      // The newest row of history carries the revision; this one is of no kind that anybody watches.
      const marker = {
        kind: "",
        namespace: "",
        name: "restored",
        type: "DELETED",
        previous: null,
        body: "{}",
      } as const;
      run(db, query.insertInto("history").values({ ...marker, revision, at: nowMs }));
      putMeta(db, COMPACTED).run({ value: String(revision) });
      putMeta(db, RESTORATIONS).run({ value: JSON.stringify(restorations) });
    })();
  } finally {
    db.close();
  }
  return revision;
}

/** With its journal, which a process that was killed leaves. */
function putAside(file: string, at: string): string {
  const aside = `${file}.replaced-${at.replace(/[:]/g, "")}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
  }
  return basename(aside);
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function all<Row>(db: Database, statement: Compilable<Row>): readonly Row[] {
  const { sql, parameters } = statement.compile();
  return db.prepare<unknown[], Row>(sql).all(...parameters);
}

function run(db: Database, statement: Compilable): void {
  const { sql, parameters } = statement.compile();
  db.prepare(sql).run(...parameters);
}
