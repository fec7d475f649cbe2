// A backup that is taken now and put back later, for worlds whose database is a file.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Clock } from "../controller/kernel/clock.ts";
import { openBackup } from "../controller/store/restore.ts";
import type { SqliteDatabase } from "../controller/store/sqlite.ts";

const EXTRAS = { version: "0.1.0", app: "workers", elsewhere: [], files: [] };

export function savedFiles(clock: () => Clock) {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-saved-"));
  const file = join(folder, "flywheel.db");
  const saved = join(folder, "saved");
  const signal = new AbortController().signal;
  return {
    file,
    async take(database: SqliteDatabase): Promise<void> {
      writeFileSync(saved, await buffer((await database.backup(EXTRAS, signal)).content));
    },
    async putBack(): Promise<void> {
      const restoring = await openBackup(saved, file, { replace: true, nowMs: clock().now() }, signal);
      restoring.install();
      restoring.close();
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
