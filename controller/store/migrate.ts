// Brings a database to the schema of this program, in one transaction, with a copy of the file put aside first. The
// schema's version is SQLite's own user_version; application_id tells our files from others.
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import type { Database } from "better-sqlite3";
import type { Log } from "../kernel/log.ts";
import { RefusedDatabaseError } from "./errors.ts";
import type { Migration } from "./migrations.ts";

/** "Flyw" in ASCII. */
const APPLICATION_ID = 0x466c7977;

/**
 * RefusedDatabaseError for a file that this program does not understand; it is left as it is. `expendable`: the file is
 * a copy itself, so no other is put aside.
 */
export function migrate(db: Database, migrations: readonly Migration[], log: Log, expendable = false): void {
  const version = Number(db.pragma("user_version", { simple: true }));
  refuseForeign(db);
  if (version > migrations.length) {
    throw new RefusedDatabaseError(
      `${db.name} has schema version ${version}, this program knows up to ${migrations.length}: ` +
        "it was written by a newer one; run that, or restore the copy kept beside the file before it migrated",
    );
  }
  if (version === migrations.length) return;
  if (version > 0 && !expendable) {
    const copy = keepCopy(db, version + 1);
    log.info({ from: version, to: migrations.length, copy }, "migrating the database");
  }
  db.transaction(() => {
    for (const migration of migrations.slice(version)) {
      for (const statement of migration) db.exec(statement.compile().sql);
    }
    db.pragma(`user_version = ${migrations.length}`);
    db.pragma(`application_id = ${APPLICATION_ID}`);
  }).immediate();
}

function refuseForeign(db: Database): void {
  const id = Number(db.pragma("application_id", { simple: true }));
  const tables = db.prepare("select 1 from sqlite_schema limit 1").get();
  if (tables === undefined || id === APPLICATION_ID) return;
  throw new RefusedDatabaseError(`${db.name} is a SQLite database of another program; name another file`);
}

/** `<file>.before-<n>`: the database as it was before migration n. Complete on disk before it gets that name. */
function keepCopy(db: Database, next: number): string | undefined {
  if (db.memory) return undefined;
  const copy = `${db.name}.before-${next}`;
  const partial = `${copy}.partial`;
  // SQLite accepts an empty file, and so the copy is as private as the original.
  rmSync(partial, { force: true });
  const descriptor = openSync(partial, "a", 0o600);
  try {
    db.prepare("vacuum into ?").run(partial);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(partial, copy);
  return copy;
}
