// The second bound: what better-sqlite3 commits durably, 32 documents at a time, when nothing is decided: for each a row
// that says the object is there, and a row of history with the document.
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { serve } from "./serve.ts";

const BATCH = 32;

const folder = process.argv[2] ?? "";
const db = new SqliteDatabase(join(folder, "group-commits.db"));
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`
  create table objects (
    kind text not null, namespace text not null, name text not null, uid text not null, revision integer not null,
    primary key (kind, namespace, name)
  ) without rowid;
  create unique index objects_uid on objects (uid);
  create table history (
    revision integer primary key, at integer not null, type text not null,
    kind text not null, namespace text not null, name text not null, body text not null
  );`);
const insertObject = db.prepare("insert into objects values ('instances', 'default', ?, ?, ?)");
const insertHistory = db.prepare("insert into history values (?, ?, 'ADDED', 'instances', 'default', ?, ?)");
let revision = 0;

const commit = db.transaction((document: string) => {
  for (let index = 0; index < BATCH; index += 1) {
    revision += 1;
    const name = `document-${revision}`;
    insertObject.run(name, crypto.randomUUID(), revision);
    insertHistory.run(revision, Date.now(), name, document);
  }
});

function run({ document, seconds }: { readonly document: string; readonly seconds: number }): { perSecond: number } {
  const beganMs = performance.now();
  const first = revision;
  while (performance.now() - beganMs < seconds * 1000) commit(document);
  return { perSecond: (revision - first) / ((performance.now() - beganMs) / 1000) };
}

const procedures = { run };
export type GroupCommitsProcedures = typeof procedures;
serve(procedures, async () => void db.close());
