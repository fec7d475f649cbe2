import SqliteDatabase from "better-sqlite3";
import { expect, test } from "vitest";
import { silentLog } from "../../../controller/kernel/log.ts";
import { groupCommit } from "../../../controller/store/group-commit.ts";
import { logStore } from "../../../controller/store/logs.ts";
import { migrate } from "../../../controller/store/migrate.ts";
import { MIGRATIONS } from "../../../controller/store/migrations.ts";

test("a stream that was cut stays cut when the limit is raised: it has no holes", async () => {
  const db = new SqliteDatabase(":memory:");
  migrate(db, MIGRATIONS, silentLog);
  const commits = groupCommit({ db, log: silentLog, begun: () => {}, committed: () => {} });
  await logStore(db, commits, 3).append("s", 0, Buffer.from("abcde"));
  const raised = logStore(db, commits, 100);
  await raised.append("s", 5, Buffer.from("fgh"));
  expect(Buffer.from(await raised.read("s", 0, 100)).toString()).toBe("abc");
  expect(await raised.size("s")).toBe(8);
  db.close();
});
