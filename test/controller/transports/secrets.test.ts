import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ed25519KeyPair } from "../../../controller/transports/ed25519-key.ts";
import { readMasterSecret, readOrMakeSshKey } from "../../../controller/transports/secrets.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-secrets-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const mode = (path: string) => statSync(path).mode & 0o777;

describe("the master secret", () => {
  test("is made once, for its owner alone, and nothing else is left behind", () => {
    const dataDir = join(folder, "data");
    const first = readMasterSecret(dataDir);
    expect(first).toHaveLength(32);
    expect(readMasterSecret(dataDir)).toEqual(first);
    expect(readdirSync(dataDir)).toEqual(["host-key-master"]);
    expect(mode(join(dataDir, "host-key-master"))).toBe(0o600);
  });

  test("that was opened to others is closed again", () => {
    readMasterSecret(folder);
    const path = join(folder, "host-key-master");
    chmodSync(path, 0o644);
    readMasterSecret(folder);
    expect(mode(path)).toBe(0o600);
  });

  test("that is damaged stops the start instead of changing every host key", () => {
    writeFileSync(join(folder, "host-key-master"), "short");
    expect(() => readMasterSecret(folder)).toThrow("host-key-master does not hold 32 bytes");
    expect(readFileSync(join(folder, "host-key-master"), "utf8")).toBe("short");
  });
});

describe("our SSH key", () => {
  test("is made in the data directory, and found again", () => {
    const made = readOrMakeSshKey(undefined, folder);
    expect(mode(made.path)).toBe(0o600);
    expect(made.publicKey).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+ flywheel$/);
    expect(readOrMakeSshKey(undefined, folder)).toEqual(made);
  });

  test("is the user's own where one is given, with its mode left alone", () => {
    const path = join(folder, "id_ed25519");
    const pair = ed25519KeyPair(new Uint8Array(32).fill(3), "mine");
    writeFileSync(path, pair.privateKey, { mode: 0o640 });
    chmodSync(path, 0o640);
    const read = readOrMakeSshKey(path, "/nonexistent");
    expect(read.publicKey.split(" ")[1]).toBe(pair.publicKey.split(" ")[1]);
    expect(mode(path)).toBe(0o640);
  });

  test.each([
    { content: "nonsense", says: "is not a private key" },
    { content: ed25519KeyPair(new Uint8Array(32).fill(3), "mine").publicKey, says: "is a public key" },
  ])("that cannot be used is named: $says", ({ content, says }) => {
    const path = join(folder, "key");
    writeFileSync(path, content);
    expect(() => readOrMakeSshKey(path, folder)).toThrow(says);
  });
});
