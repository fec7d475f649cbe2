// The rows behind objects: what is current, what was written, who owns whom. Nothing here decides; it reads, and it
// records what a transition has decided, at the next revision.
import type { Database } from "better-sqlite3";
import { type Prepared, prepare } from "./prepared.ts";
import { query, type Tables } from "./schema.ts";
import type { Seal } from "./seal.ts";
import type { HistoryRow } from "./watch-event.ts";

type ObjectRow = Tables["objects"];
export type ObjectKey = Pick<ObjectRow, "kind" | "namespace" | "name">;

export interface ObjectRows {
  /** The revision of the object's last write. */
  current(key: ObjectKey): number | undefined;
  currentByUid(kind: string, uid: string): number | undefined;
  /** False when the name is taken. */
  insertObject(row: ObjectRow): boolean;
  moveObject(key: ObjectKey, revision: number): void;
  removeObject(key: ObjectKey): void;
  setOwners(key: ObjectKey, owners: readonly string[]): void;
  insertHistory(row: HistoryRow): void;
  historyAfter(revision: number, limit: number): readonly HistoryRow[];
  bodyOf(revision: number): string | undefined;
  newestRevision(): number;
}

/** `seal` opens what it closed: callers see bodies as plain text. */
export function objectRows(db: Database, seal: Seal): ObjectRows {
  const objects = objectStatements(db);
  const owners = ownerStatements(db);
  const history = historyStatements(db);
  return {
    current: (key) => objects.find.get(key)?.revision,
    currentByUid: (kind, uid) => objects.findByUid.get({ kind, uid })?.revision,
    insertObject: (row) => objects.insert.run(row) === 1,
    moveObject: (key, revision) => void objects.move.run({ ...key, revision }),
    removeObject: (key) => void objects.remove.run(key),
    setOwners(key, uids) {
      owners.clear.run(key);
      for (const owner of new Set(uids)) owners.insert.run({ ...key, owner });
    },
    insertHistory: (row) => void history.insert.run(row),
    historyAfter: (revision, limit) =>
      history.after.all({ revision, limit }).map((row) => ({ ...row, body: seal.open(row.body, row.revision) })),
    bodyOf(revision) {
      const row = history.body.get({ revision });
      return row && seal.open(row.body, revision);
    },
    newestRevision: () => history.newest.get({})?.revision ?? 0,
  };
}

function objectStatements(db: Database) {
  const revision = query.selectFrom("objects").select("revision");
  return {
    find: prepare<ObjectKey>(db)((slot) =>
      revision
        .where("kind", "=", slot("kind"))
        .where("namespace", "=", slot("namespace"))
        .where("name", "=", slot("name")),
    ),
    findByUid: prepare<{ kind: string; uid: string }>(db)((slot) =>
      revision.where("uid", "=", slot("uid")).where("kind", "=", slot("kind")),
    ),
    insert: prepare<ObjectRow>(db)((slot) =>
      query
        .insertInto("objects")
        .values({
          kind: slot("kind"),
          namespace: slot("namespace"),
          name: slot("name"),
          uid: slot("uid"),
          revision: slot("revision"),
        })
        .onConflict((conflict) => conflict.columns(["kind", "namespace", "name"]).doNothing()),
    ),
    move: prepare<ObjectKey & { revision: number }>(db)((slot) =>
      query
        .updateTable("objects")
        .set({ revision: slot("revision") })
        .where("kind", "=", slot("kind"))
        .where("namespace", "=", slot("namespace"))
        .where("name", "=", slot("name")),
    ),
    remove: prepare<ObjectKey>(db)((slot) =>
      query
        .deleteFrom("objects")
        .where("kind", "=", slot("kind"))
        .where("namespace", "=", slot("namespace"))
        .where("name", "=", slot("name")),
    ),
  };
}

function ownerStatements(db: Database) {
  return {
    insert: prepare<Tables["owners"]>(db)((slot) =>
      query.insertInto("owners").values({
        owner: slot("owner"),
        kind: slot("kind"),
        namespace: slot("namespace"),
        name: slot("name"),
      }),
    ),
    clear: prepare<ObjectKey>(db)((slot) =>
      query
        .deleteFrom("owners")
        .where("kind", "=", slot("kind"))
        .where("namespace", "=", slot("namespace"))
        .where("name", "=", slot("name")),
    ),
  };
}

function historyStatements(db: Database) {
  const newest: Prepared<object, { readonly revision: number | null }> = prepare<object>(db)(() =>
    query.selectFrom("history").select((select) => select.fn.max("revision").as("revision")),
  );
  return {
    newest,
    insert: prepare<HistoryRow>(db)((slot) =>
      query.insertInto("history").values({
        revision: slot("revision"),
        at: slot("at"),
        type: slot("type"),
        kind: slot("kind"),
        namespace: slot("namespace"),
        name: slot("name"),
        previous: slot("previous"),
        body: slot("body"),
      }),
    ),
    after: prepare<{ revision: number; limit: number }>(db)((slot) =>
      query
        .selectFrom("history")
        .selectAll()
        .where("revision", ">", slot("revision"))
        .orderBy("revision")
        .limit(slot("limit")),
    ),
    body: prepare<{ revision: number }>(db)((slot) =>
      query.selectFrom("history").select("body").where("revision", "=", slot("revision")),
    ),
  };
}
