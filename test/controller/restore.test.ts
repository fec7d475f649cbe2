import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readConfig } from "../../controller/config.ts";
import { conflicting, installIdentity, readIdentity } from "../../controller/identity.ts";
import { seededRandom } from "../../controller/kernel/random.ts";
import { restoreNow } from "../../controller/restore.ts";
import { openSqlite } from "../../controller/store/sqlite.ts";
import { serverTls } from "../../controller/tls.ts";
import { readMasterSecret, readOrMakeSshKey, readSecretsKey } from "../../controller/transports/secrets.ts";
import { virtualClock } from "../virtual-clock.ts";

let folder: string;
let dataDir: string;
let other: string;
let saved: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-restore-"));
  dataDir = join(folder, "data");
  other = join(folder, "other");
  saved = join(folder, "saved");
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock = virtualClock();
const run = (...args: readonly string[]) => restoreNow(args, { DATA_DIR: dataDir }, clock);

/** A server's life: it makes its keys and its database, and is backed up. */
async function lived(environment: Readonly<Record<string, string>> = {}) {
  const config = readConfig({ DATA_DIR: dataDir, ...environment });
  const master = readMasterSecret(dataDir);
  const { publicKey } = readOrMakeSshKey(config.ssh.keyPath, dataDir);
  readSecretsKey(dataDir);
  if (environment.TLS !== undefined) await serverTls(config, clock);
  const database = await openSqlite({ file: config.databaseFile, clock, random: seededRandom(1) });
  const extras = { version: "0.1.0", app: config.fly.app, ...readIdentity(config) };
  writeFileSync(saved, await buffer((await database.backup(extras, new AbortController().signal)).content));
  await database.close();
  return { master, publicKey };
}

test("database and keys are there again, for their owner alone", async () => {
  const { master, publicKey } = await lived();
  rmSync(dataDir, { recursive: true });
  const told = await run(saved);
  expect(told[0]).toMatch(/^restored .*flywheel\.db as it was at 2026-/);
  expect(told[1]).toBe(`keys: host-key-master, ssh_key, secrets-key in ${dataDir}`);
  expect(readdirSync(dataDir).sort()).toEqual(["flywheel.db", "host-key-master", "secrets-key", "ssh_key"]);
  for (const name of readdirSync(dataDir)) expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
  expect(readMasterSecret(dataDir)).toEqual(master);
  expect(readOrMakeSshKey(undefined, dataDir).publicKey).toBe(publicKey);
});

test("a directory that has a database, or other keys, is left as it is unless that is asked for", async () => {
  await lived();
  await expect(run(saved)).rejects.toThrow("flywheel.db exists: use --force");

  mkdirSync(other);
  const stranger = readMasterSecret(other);
  await expect(run(saved, "--data-dir", other)).rejects.toThrow(
    `${other} has another host-key-master than the backup: use --force`,
  );
  expect(readdirSync(other)).toEqual(["host-key-master"]);
  expect(readMasterSecret(other)).toEqual(stranger);

  const told = await run(saved, "--data-dir", other, "--force");
  const aside = readdirSync(other).find((name) => name.startsWith("host-key-master.replaced-")) ?? "";
  expect(told).toContain(`kept beside: ${aside}`);
  expect(Buffer.from(readFileSync(join(other, aside), "utf8"), "base64")).toEqual(Buffer.from(stranger));
  expect(readMasterSecret(other)).toEqual(readMasterSecret(dataDir));
});

test("where only the database is lost, the keys that are there are the right ones", async () => {
  await lived();
  rmSync(join(dataDir, "flywheel.db"));
  await run(saved);
  expect(readdirSync(dataDir).sort()).toEqual(["flywheel.db", "host-key-master", "secrets-key", "ssh_key"]);
});

test("a key that is kept elsewhere is named, not copied; another app is told", async () => {
  const keyPath = join(folder, "mine");
  await lived({ SSH_KEY_PATH: keyPath, WORKER_APP: "another-app" });
  expect(readFileSync(saved, "latin1")).not.toContain(readFileSync(keyPath, "utf8").split("\n")[1]);
  const told = await run(saved, "--data-dir", other);
  expect(told).toContain(`SSH_KEY_PATH=${keyPath} was kept elsewhere: set it for the server to the same key`);
  expect(told).toContain("its machines are in app another-app: set WORKER_APP=another-app");
  expect(existsSync(join(other, "ssh_key"))).toBe(false);
});

test("clients who trust the server's own authority go on to; a key in the environment is named", async () => {
  await lived({ TLS: "self-signed", SECRETS_KEY: Buffer.alloc(32).toString("base64") });
  const told = await run(saved, "--data-dir", other);
  expect(told).toContain("SECRETS_KEY was kept elsewhere: set it for the server to the same key");
  expect(existsSync(join(other, "secrets-key"))).toBe(false);
  for (const name of ["ca.pem", "ca-key.pem"])
    expect(readFileSync(join(other, "tls", name), "utf8")).toBe(readFileSync(join(dataDir, "tls", name), "utf8"));
  expect(statSync(join(other, "tls")).mode & 0o777).toBe(0o700);
});

test("a backup that somebody made up writes no other file", () => {
  mkdirSync(dataDir);
  const files = [
    { name: "../outside", content: "x" },
    { name: "flywheel.db", content: "x" },
  ];
  expect(installIdentity(dataDir, files, "now")).toEqual([]);
  expect(conflicting(dataDir, files)).toEqual([]);
  expect(readdirSync(folder)).toEqual(["data"]);
  expect(readdirSync(dataDir)).toEqual([]);
});

test.each([[[]], [["a", "b"]], [["a", "--unknown"]]])("typed wrong: %s", async (args) => {
  await expect(run(...args)).rejects.toThrow("usage: restore FILE");
});

test("a file that is not there", async () => {
  await expect(run(join(folder, "absent"))).rejects.toThrow(/cannot copy .*absent/);
  expect(existsSync(join(dataDir, "flywheel.db.restoring"))).toBe(false);
});
