// The contract, kept by SQLite in memory and in a file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { seededRandom } from "../../controller/kernel/random.ts";
import { openSqlite } from "../../controller/store/sqlite.ts";
import { logContract } from "./log-contract.ts";
import { type StoreFactory, storeContract } from "./store-contract.ts";

const history = { maxAgeMs: 60 * 60_000, maxEvents: 200 };
const folder = mkdtempSync(join(tmpdir(), "flywheel-store-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const factories: readonly [string, StoreFactory][] = [
  ["memory", (clock) => openSqlite({ file: ":memory:", clock, random: seededRandom(1), history })],
  [
    "file",
    (clock) => {
      files += 1;
      return openSqlite({ file: join(folder, `${files}.db`), clock, random: seededRandom(1), history });
    },
  ],
];

describe.each(factories)("SQLite in %s", (_, makeStore) => {
  describe("objects", () => storeContract(makeStore));
  describe("logs", () => logContract(makeStore));
});
