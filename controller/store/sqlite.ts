// The truth in one SQLite file: opens it, brings it up to date, and puts the parts together.
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { type Log, silentLog } from "../kernel/log.ts";
import type { Random } from "../kernel/random.ts";
import { type Backups, backups } from "./backup.ts";
import { compaction, HISTORY_BOUNDS, type HistoryBounds } from "./compaction.ts";
import { RefusedDatabaseError, UnavailableError } from "./errors.ts";
import { groupCommit } from "./group-commit.ts";
import { logStore } from "./logs.ts";
import { getMeta, putMeta } from "./meta.ts";
import { migrate } from "./migrate.ts";
import { MIGRATIONS } from "./migrations.ts";
import { objectRows } from "./object-rows.ts";
import { objectStore } from "./object-store.ts";
import { parsedObjects } from "./parsed-objects.ts";
import { readRestorations } from "./restore.ts";
import { NO_SEAL, type Seal, sealWith } from "./seal.ts";
import { openFile, type SqliteFile } from "./sqlite-file.ts";
import type { Database, Store } from "./store.ts";
import { watchHub } from "./watch-hub.ts";

export interface SqliteOptions {
  /** A path, or `:memory:`. */
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** 32 bytes that confidential kinds are encrypted with; without them nothing is. */
  readonly secretsKey?: Uint8Array | undefined;
  /** What history to keep; HISTORY_MAX_AGE_MS and HISTORY_MAX_EVENTS when absent. */
  readonly history?: HistoryBounds;
  /** Calls back in a later turn of the event loop, in which writes so far share a commit; setImmediate when absent. */
  readonly schedule?: (flush: () => void) => void;
}

export interface SqliteDatabase extends Database {
  /** Forgets all history that the bounds allow, now. Answers the oldest revision that a watch can begin from. */
  compact(): Promise<number>;
  /** A copy of all of it in one file, while writes go on. */
  readonly backup: Backups["take"];
}

/** RefusedDatabaseError when the file belongs to another process, a newer program, or something else. */
export async function openSqlite(options: SqliteOptions): Promise<SqliteDatabase> {
  const file = openFile(options.file);
  try {
    return databaseOn(file, options);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The store on a file that is open. */
export function databaseOn(file: SqliteFile, options: Omit<SqliteOptions, "file">): SqliteDatabase {
  const { clock, random, log = silentLog, schedule, secretsKey } = options;
  const { db } = file;
  migrate(db, MIGRATIONS, log);
  const seal = secretsKey === undefined ? NO_SEAL : fittingSeal(db, secretsKey);
  const rows = objectRows(db, seal);
  const controllerId = identify(file, random);
  const restorations = readRestorations(db);
  const copies = backups(db, clock);

  let committed = rows.newestRevision();
  let last = committed;
  const commits = groupCommit({
    db,
    log,
    schedule,
    begun: () => {
      last = committed;
    },
    committed: () => {
      committed = last;
      hub.wake();
      compacting.follow(committed).catch((error) => {
        if (!(error instanceof UnavailableError)) log.error({ error: messageOf(error) }, "history is not compacted");
      });
    },
  });
  const head = () => committed;
  const compacting = compaction(db, commits, clock, head, options.history ?? HISTORY_BOUNDS);
  const objects = parsedObjects(rows.bodyOf, head);
  const history = { head, compacted: compacting.compacted, after: rows.historyAfter, objects };
  const hub = watchHub(history);
  const ledger = {
    last: () => last,
    advance: () => {
      last += 1;
    },
  };

  /** After a failed commit only another one can tell whether writes are accepted again. */
  const health: Store["health"] = async () => {
    if (commits.failure() === undefined) return { ok: true };
    await commits.submit(() => void touch.run({ value: String(clock.now()) })).catch(() => undefined);
    const message = commits.failure();
    return message === undefined ? { ok: true } : { ok: false, message };
  };
  const touch = putMeta(db, "probed");

  return {
    store: objectStore({
      db,
      rows,
      seal,
      history,
      ledger,
      commits,
      hub,
      clock,
      random,
      controllerId,
      restorations,
      health,
    }),
    logs: logStore(db, commits),
    compact: compacting.compact,
    backup: copies.take,
    async close() {
      hub.close();
      await commits.close();
      await copies.idle();
      file.close();
    },
  };
}

/** The seal of this database: the key that it was first opened with, and no other. */
function fittingSeal(db: SqliteFile["db"], key: Uint8Array): Seal {
  const seal = sealWith(key);
  const proof = getMeta(db, "sealed");
  if (proof === undefined) {
    putMeta(db, "sealed").run({ value: seal.close("flywheel", 0) });
    return seal;
  }
  try {
    seal.open(proof, 0);
    return seal;
  } catch (cause) {
    const remedy = "start with the SECRETS_KEY, or the key file in DATA_DIR, that it was made with";
    throw new RefusedDatabaseError(`the key does not fit the secrets in ${db.name}; ${remedy}`, { cause });
  }
}

/** The id made with the database. */
function identify({ db }: SqliteFile, random: Random): string {
  const known = getMeta(db, "controller-id");
  if (known !== undefined) return known;
  const made = random.uuid();
  putMeta(db, "controller-id").run({ value: made });
  return made;
}
