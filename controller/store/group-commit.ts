// Writes in flight at the same moment share one durable commit. Each runs in its own savepoint, so that one that is
// refused neither fails its neighbours nor leaves a trace; a commit that fails fails all of them. Nothing is answered
// before the commit has returned. A batch is one synchronous turn: no reader ever sees half of it.
import type { Database } from "better-sqlite3";
import { messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import { GROUP_COMMIT_MAX } from "../limits.ts";
import { UnavailableError } from "./errors.ts";

export interface GroupCommit {
  /** Runs `write` inside the next commit's transaction and answers its value once that is durable. */
  submit<T>(write: () => T): Promise<T>;
  /** Why the last commit failed; undefined when it did not. */
  failure(): string | undefined;
  /** Refuses new writes and waits for those under way. */
  close(): Promise<void>;
}

export interface GroupCommitOptions {
  readonly db: Database;
  readonly log: Log;
  /**
   * Calls back in a later turn. With the default, setImmediate, all requests that one poll of the sockets has brought
   * in share a commit; a microtask would give each its own.
   */
  readonly schedule?: ((flush: () => void) => void) | undefined;
  /** A transaction begins: what an earlier, failed one has left in memory is void. */
  readonly begun: () => void;
  /** The transaction is durable. */
  readonly committed: () => void;
}

interface Pending {
  /** Runs the write and answers how to settle its promise. */
  readonly run: () => () => void;
  readonly reject: (error: Error) => void;
}

export function groupCommit(options: GroupCommitOptions): GroupCommit {
  const { db, log, schedule = setImmediate } = options;
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const savepoint = db.prepare("SAVEPOINT write");
  const release = db.prepare("RELEASE write");
  const rollbackTo = db.prepare("ROLLBACK TO write");
  const rollback = db.prepare("ROLLBACK");

  let pending: Pending[] = [];
  let scheduled = false;
  let closed = false;
  let failure: string | undefined;
  let idle: (() => void)[] = [];

  function submit<T>(write: () => T): Promise<T> {
    if (closed) return Promise.reject(new UnavailableError("the store is closed"));
    return new Promise<T>((resolve, reject) => {
      const run = () => {
        const value = write();
        return () => resolve(value);
      };
      pending.push({ run, reject });
      scheduleFlush();
    });
  }

  function scheduleFlush(): void {
    if (scheduled) return;
    scheduled = true;
    schedule(flush);
  }

  function flush(): void {
    const batch = pending.slice(0, GROUP_COMMIT_MAX);
    pending = pending.slice(GROUP_COMMIT_MAX);
    scheduled = false;
    if (pending.length > 0) scheduleFlush();
    try {
      for (const settle of transact(batch)) settle();
    } catch (error) {
      fail(batch, error);
      return;
    } finally {
      if (pending.length === 0) for (const resolve of idle.splice(0)) resolve();
    }
    if (failure !== undefined) log.info({}, "the database accepts writes again");
    failure = undefined;
    options.committed();
  }

  function transact(batch: readonly Pending[]): (() => void)[] {
    begin.run();
    options.begun();
    const outcomes = batch.map(attempt);
    commit.run();
    return outcomes;
  }

  function attempt({ run, reject }: Pending): () => void {
    savepoint.run();
    try {
      const settle = run();
      release.run();
      return settle;
    } catch (error) {
      if (isUnavailable(error) || !db.inTransaction) throw error;
      rollbackTo.run();
      release.run();
      return () => reject(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  function fail(batch: readonly Pending[], error: unknown): void {
    if (failure === undefined) log.error({ error: messageOf(error) }, "the database does not accept writes");
    failure = messageOf(error);
    for (const { reject } of batch) {
      reject(new UnavailableError(`the database cannot be written: ${messageOf(error)}`, { cause: error }));
    }
    if (db.inTransaction) rollback.run();
  }

  async function close(): Promise<void> {
    closed = true;
    if (pending.length > 0) await new Promise<void>((resolve) => idle.push(resolve));
    idle = [];
  }

  return { submit, failure: () => failure, close };
}

/** Trouble of the file or the disk, not of the statement (https://www.sqlite.org/rescode.html). */
const UNAVAILABLE = /^SQLITE_(FULL|BUSY|LOCKED|IOERR|READONLY|CANTOPEN|NOMEM|PROTOCOL|CORRUPT|NOTADB)/;

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && "code" in error && UNAVAILABLE.test(String(error.code));
}
