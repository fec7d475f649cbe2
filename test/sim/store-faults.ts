// A database file whose commits fail now and then, as those of a full disk and of a file that somebody else has locked. The
// statements are SQLite's own; only the outcome of a few is another one.
import SqliteDatabase, { type Statement } from "better-sqlite3";
import type { SqliteFile } from "../../controller/store/sqlite-file.ts";

export interface StoreFaults {
  /** Whether a transaction fails at this statement. */
  fails(statement: string): boolean;
}

const FAILURES: Readonly<Record<string, { readonly code: string; readonly message: string }>> = {
  "BEGIN IMMEDIATE": { code: "SQLITE_BUSY", message: "database is locked" },
  COMMIT: { code: "SQLITE_FULL", message: "database or disk is full" },
};

export function faultyFile(file: SqliteFile, { fails }: StoreFaults): SqliteFile {
  const db = new Proxy(file.db, {
    get(target, name) {
      if (name === "prepare") return prepare;
      const value: unknown = Reflect.get(target, name, target); // getters of better-sqlite3 want the database itself
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

  function prepare(source: string): Pick<Statement, "run"> {
    const statement = file.db.prepare(source);
    const failure = FAILURES[source];
    if (!failure) return statement;
    return {
      run() {
        if (fails(source)) throw new SqliteDatabase.SqliteError(failure.message, failure.code);
        return statement.run();
      },
    };
  }

  return { ...file, db };
}
