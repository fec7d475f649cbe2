// What a database remembers of itself, by key.
import type { Database } from "better-sqlite3";
import { type Prepared, prepare } from "./prepared.ts";
import { query } from "./schema.ts";

export function getMeta(db: Database, key: string): string | undefined {
  const find = prepare<object>(db)(() => query.selectFrom("meta").select("value").where("key", "=", key));
  return find.get({})?.value;
}

/** Replaces the value. */
export function putMeta(db: Database, key: string): Prepared<{ value: string }, unknown> {
  return prepare<{ value: string }>(db)((slot) =>
    query
      .insertInto("meta")
      .values({ key, value: slot("value") })
      .onConflict((conflict) => conflict.column("key").doUpdateSet({ value: slot("value") })),
  );
}
