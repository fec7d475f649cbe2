// Forgets history that is too old or too much. What goes is every state that was replaced at or before the new bound,
// and every deletion up to there: what remains is each object's state at any revision from the bound on. Runs as a
// write among others, every so many of them, a bounded piece each time; there is no timer.
import type { Database } from "better-sqlite3";
import type { Clock } from "../kernel/clock.ts";
import { COMPACT_EVERY_WRITES, COMPACT_MAX_ROWS, HISTORY_MAX_AGE_MS, HISTORY_MAX_EVENTS } from "../limits.ts";
import type { GroupCommit } from "./group-commit.ts";
import { prepare } from "./prepared.ts";
import { query } from "./schema.ts";

export interface HistoryBounds {
  readonly maxAgeMs: number;
  readonly maxEvents: number;
}

export const HISTORY_BOUNDS: HistoryBounds = { maxAgeMs: HISTORY_MAX_AGE_MS, maxEvents: HISTORY_MAX_EVENTS };

export interface Compaction {
  /** A watch from before this revision has lost writes. */
  compacted(): number;
  /** Forgets all that the bounds allow, in as many commits as that takes. Answers the new bound. */
  compact(): Promise<number>;
  /** Writes were committed up to `head`: compacts a piece when enough of them have come together. */
  follow(head: number): Promise<void>;
}

export function compaction(
  db: Database,
  commits: GroupCommit,
  clock: Clock,
  head: () => number,
  bounds: HistoryBounds,
): Compaction {
  const statements = compactionStatements(db);
  let compacted = Number(statements.bound.get({})?.value ?? 0);
  let looked = head();
  let underWay: Promise<boolean> | undefined;

  /** The newest revision that may go. The newest write never does: it carries the revision. */
  function bound(): number {
    const newest = head() - 1;
    const byCount = head() - bounds.maxEvents;
    return Math.min(newest, Math.max(byCount, lastWrittenBefore(clock.now() - bounds.maxAgeMs), compacted));
  }

  /** Revisions above `compacted` are all there, and their times rise. */
  function lastWrittenBefore(time: number): number {
    let [low, high] = [compacted, head()];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((statements.writtenAt.get({ revision: middle })?.at ?? time) < time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** One at a time, so that the bound never moves back. Answers whether more can go. */
  function step(): Promise<boolean> {
    underWay ??= forget().finally(() => {
      underWay = undefined;
    });
    return underWay;
  }

  async function forget(): Promise<boolean> {
    const [from, wanted] = [compacted, bound()];
    const to = Math.min(wanted, from + COMPACT_MAX_ROWS);
    if (to <= from) return false;
    await commits.submit(() => {
      statements.forgetReplaced.run({ from, to });
      statements.forgetDeleted.run({ from, to });
      statements.moveBound.run({ value: String(to) });
    });
    compacted = to;
    return to < wanted;
  }

  async function compact(): Promise<number> {
    let more = true;
    while (more) more = await step();
    return compacted;
  }

  async function follow(newHead: number): Promise<void> {
    if (newHead - looked < COMPACT_EVERY_WRITES) return;
    looked = newHead;
    await step();
  }

  return { compacted: () => compacted, compact, follow };
}

/** The key that remembers the bound. */
export const COMPACTED = "compacted";

function compactionStatements(db: Database) {
  return {
    bound: prepare<object>(db)(() => query.selectFrom("meta").select("value").where("key", "=", COMPACTED)),
    moveBound: prepare<{ value: string }>(db)((slot) =>
      query
        .insertInto("meta")
        .values({ key: COMPACTED, value: slot("value") })
        .onConflict((conflict) => conflict.column("key").doUpdateSet({ value: slot("value") })),
    ),
    writtenAt: prepare<{ revision: number }>(db)((slot) =>
      query.selectFrom("history").select("at").where("revision", "=", slot("revision")),
    ),
    forgetReplaced: prepare<{ from: number; to: number }>(db)((slot) =>
      query
        .deleteFrom("history")
        .where("revision", "in", (select) =>
          select
            .selectFrom("history as later")
            .select("later.previous")
            .where("later.revision", ">", slot("from"))
            .where("later.revision", "<=", slot("to"))
            .where("later.previous", "is not", null)
            .$narrowType<{ previous: number }>(),
        ),
    ),
    forgetDeleted: prepare<{ from: number; to: number }>(db)((slot) =>
      query
        .deleteFrom("history")
        .where("revision", ">", slot("from"))
        .where("revision", "<=", slot("to"))
        .where("type", "=", "DELETED"),
    ),
  };
}
