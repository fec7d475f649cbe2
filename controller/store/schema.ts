// The tables as kysely sees them. A body is stored once, in `history`; `objects` says which row of it is current. So a
// write costs one copy of the object, and its earlier states stay readable until they are compacted.
import {
  DummyDriver,
  type GeneratedAlways,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";

export interface Tables {
  readonly meta: { readonly key: string; readonly value: string };
  /** One row per object that exists. */
  readonly objects: {
    /** The qualified resource: `instances.fly.lightfast.ai`. */
    readonly kind: string;
    /** Empty for cluster-scoped kinds. */
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly revision: number;
  };
  /** One row per write; those above the compacted revision are complete. */
  readonly history: {
    readonly revision: number;
    /** Wall-clock ms of the write. */
    readonly at: number;
    readonly type: "ADDED" | "MODIFIED" | "DELETED";
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    /** The revision of the state that this write replaced; null when it created the object. */
    readonly previous: number | null;
    /** The object after the write; for DELETED its last state, with the revision of the deletion. */
    readonly body: string;
  };
  /** One row per owner reference. */
  readonly owners: {
    readonly owner: string;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
  };
  readonly log_streams: {
    readonly id: GeneratedAlways<number>;
    readonly name: string;
    /** Bytes that came, kept or not. */
    readonly received: number;
    /** Bytes that are held: the first ones. */
    readonly kept: number;
  };
  readonly log_chunks: { readonly stream: number; readonly start: number; readonly data: Uint8Array };
  /** In a backup only: what it says of itself, as JSON. */
  readonly backup_manifest: { readonly json: string };
  /** In a backup only: files that the database is of little use without. */
  readonly backup_files: { readonly name: string; readonly content: string };
  /** SQLite's own list of what is in the file. */
  readonly sqlite_schema: { readonly type: string; readonly name: string };
}

/** Builds and compiles queries only: they run as better-sqlite3 statements, several in one synchronous turn. */
export const query = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});
