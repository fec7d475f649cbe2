// The schema, forward only: a migration that has been released is never edited; a change is another one at the end.
import { type Compilable, sql } from "kysely";
import { query } from "./schema.ts";

/** The statements that lead from the version before to this one. */
export type Migration = readonly Compilable[];

/** Version n is what the first n migrations make. */
export const MIGRATIONS: readonly Migration[] = [
  [
    query.schema
      .createTable("meta")
      .addColumn("key", "text", (column) => column.primaryKey().notNull())
      .addColumn("value", "text", (column) => column.notNull())
      .modifyEnd(sql`without rowid`),
    query.schema
      .createTable("objects")
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("namespace", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("uid", "text", (column) => column.notNull())
      .addColumn("revision", "integer", (column) => column.notNull())
      .addPrimaryKeyConstraint("objects_key", ["kind", "namespace", "name"])
      .modifyEnd(sql`without rowid`),
    query.schema.createIndex("objects_uid").on("objects").column("uid").unique(),
    query.schema
      .createTable("history")
      .addColumn("revision", "integer", (column) => column.primaryKey().notNull())
      .addColumn("at", "integer", (column) => column.notNull())
      .addColumn("type", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("namespace", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("previous", "integer")
      .addColumn("body", "text", (column) => column.notNull()),
    query.schema
      .createTable("owners")
      .addColumn("owner", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("namespace", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("owners_key", ["kind", "namespace", "name", "owner"])
      .modifyEnd(sql`without rowid`),
    query.schema.createIndex("owners_owner").on("owners").columns(["owner", "kind"]),
    query.schema
      .createTable("log_streams")
      .addColumn("id", "integer", (column) => column.primaryKey().notNull())
      .addColumn("name", "text", (column) => column.notNull().unique())
      .addColumn("received", "integer", (column) => column.notNull())
      .addColumn("kept", "integer", (column) => column.notNull()),
    query.schema
      .createTable("log_chunks")
      .addColumn("stream", "integer", (column) => column.notNull())
      .addColumn("start", "integer", (column) => column.notNull())
      .addColumn("data", "blob", (column) => column.notNull()),
    query.schema.createIndex("log_chunks_place").on("log_chunks").columns(["stream", "start"]).unique(),
  ],
];
