// What a backup says of itself, and what is found when it is looked at: the two must agree before it is handed out, and
// again before anything is restored from it.
import { type CompiledQuery, sql } from "kysely";
import { z } from "zod";
import { runApart } from "./apart.ts";
import { RefusedDatabaseError } from "./errors.ts";
import { query, type Tables } from "./schema.ts";

export const backupManifest = z.object({
  format: z.literal(1),
  /** RFC 3339; every write that was answered before is in it. */
  takenAt: z.string(),
  /** Of the program that took it. */
  version: z.string(),
  controllerId: z.string(),
  /** The Fly app of the machines. */
  app: z.string(),
  schema: z.number().int(),
  revision: z.number().int(),
  /** How many there are, by qualified resource. */
  objects: z.record(z.string(), z.number().int()),
  /** Files that were there and are kept elsewhere, so they are not in it. */
  elsewhere: z.array(z.string()),
  /** SHA-256 of all rows but this manifest. */
  digest: z.string(),
});
export type BackupManifest = z.output<typeof backupManifest>;

export type Contents = Pick<BackupManifest, "digest" | "revision" | "objects" | "schema" | "controllerId">;

/** Reads a copy from end to end, after `first` is done to it. RefusedDatabaseError when SQLite finds it damaged. */
export async function inspect(
  file: string,
  signal: AbortSignal,
  first: readonly CompiledQuery[] = [],
): Promise<Contents> {
  const statements = [...first, ...CHECKS];
  const undigested = "backup_manifest" satisfies keyof Tables;
  const { rows, digest } = await runApart({ file, readonly: first.length === 0, statements, undigested }, signal);
  const [integrity, dangling, newest, schema, identity, objects] = rows.slice(first.length);
  const damage = integrity?.[0]?.integrity_check;
  if (damage !== "ok") throw new RefusedDatabaseError(`${file} is damaged: ${String(damage)}`);
  const lost = Number(dangling?.[0]?.count);
  if (lost > 0) throw new RefusedDatabaseError(`${file} is damaged: ${lost} objects have no content`);
  return {
    revision: Number(newest?.[0]?.revision ?? 0),
    schema: Number(schema?.[0]?.user_version),
    controllerId: String(identity?.[0]?.value),
    objects: Object.fromEntries((objects ?? []).map(({ kind, count }) => [String(kind), Number(count)])),
    digest,
  };
}

const CHECKS = [
  sql`pragma integrity_check(1)`.compile(query),
  query
    .selectFrom("objects")
    .leftJoin("history", "history.revision", "objects.revision")
    .where("history.revision", "is", null)
    .select((select) => select.fn.countAll().as("count"))
    .compile(),
  query
    .selectFrom("history")
    .select((select) => select.fn.max("revision").as("revision"))
    .compile(),
  sql`pragma user_version`.compile(query),
  query.selectFrom("meta").select("value").where("key", "=", "controller-id").compile(),
  query
    .selectFrom("objects")
    .select((select) => ["kind", select.fn.countAll().as("count")])
    .groupBy("kind")
    .orderBy("kind")
    .compile(),
];
