// Secrets in the file: not to be read without the key, nor changed, nor put in another's place.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { NO_SEAL, SealError, sealWith } from "../../../controller/store/seal.ts";
import { openSqlite } from "../../../controller/store/sqlite.ts";
import { secretKind } from "../../../crds/secret.ts";
import { virtualClock } from "../../virtual-clock.ts";

const KEY = Buffer.alloc(32, 7);
const body = '{"data":{"token":"aHVzaA=="}}';

describe("a sealed body", () => {
  test("is opened by its key at its revision, and differs each time", () => {
    const seal = sealWith(KEY);
    const closed = seal.close(body, 5);
    expect(closed).not.toContain("aHVzaA");
    expect(seal.open(closed, 5)).toBe(body);
    expect(seal.close(body, 5)).not.toBe(closed);
    expect(seal.open(body, 5)).toBe(body);
  });

  test("is not opened at another revision, by another key, or after a change", () => {
    const seal = sealWith(KEY);
    const closed = seal.close(body, 5);
    expect(() => seal.open(closed, 6)).toThrow(SealError);
    expect(() => sealWith(Buffer.alloc(32, 8)).open(closed, 5)).toThrow(SealError);
    expect(() => seal.open(`${closed.slice(0, -8)}AAAAAAA=`, 5)).toThrow(SealError);
    expect(() => NO_SEAL.open(closed, 5)).toThrow("there is no key");
  });
});

describe("a database with secrets", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "flywheel-seal-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const open = (secretsKey?: Uint8Array) =>
    openSqlite({ file: join(folder, "f.db"), clock: virtualClock(), random: seededRandom(1), secretsKey, schedule });
  const schedule = (flush: () => void) => queueMicrotask(flush);
  const draft = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", namespace: "default" },
    type: "Opaque",
    data: { token: Buffer.from("a-very-secret-value").toString("base64") },
  };

  test("holds them in no file in plain text, and gives them back to get, list and watch", async () => {
    const first = await open(KEY);
    await first.store.create(secretKind, () => draft);
    await first.close();
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name));
      expect(bytes.includes("a-very-secret-value") || bytes.includes(draft.data.token), name).toBe(false);
    }
    const second = await open(KEY);
    const { data } = draft;
    expect(await second.store.get(secretKind, { namespace: "default", name: "s" })).toMatchObject({ data });
    expect((await second.store.list(secretKind)).items).toMatchObject([{ data }]);
    const watch = second.store.watch(secretKind, { since: 0 }, new AbortController().signal)[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ type: "ADDED", object: { data } });
    await second.close();
  });

  test("is not opened with another key, and says what to do", async () => {
    await (await open(KEY)).close();
    await expect(open(Buffer.alloc(32, 8))).rejects.toThrow(/the key does not fit the secrets.*SECRETS_KEY/);
    await (await open(KEY)).close();
  });
});
