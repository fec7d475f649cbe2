import ssh2 from "ssh2";
import { describe, expect, test } from "vitest";
import { ed25519KeyPair } from "../../../controller/transports/ed25519-key.ts";
import { hostKey, hostKeys } from "../../../controller/transports/host-key.ts";

const MASTER = new Uint8Array(32).fill(7);
const UID = "0b3c1a52-6c7e-4d59-8b7e-2f6a6b1c9d10";

describe("a host key", () => {
  test("is the same to the last character for the same secret and uid", () => {
    expect(hostKey(MASTER, UID)).toEqual(hostKey(MASTER, UID));
  });

  test("is pinned for all time: another derivation would make every machine a stranger", () => {
    expect(hostKey(MASTER, UID).fingerprint).toMatchInlineSnapshot(
      `"SHA256:x/aFLeVtRyTOuaQ7KcXHsJWeKCyprcW+eT14ygZWIiE"`,
    );
  });

  test("differs by uid and by secret", () => {
    const keys = [hostKey(MASTER, UID), hostKey(MASTER, "other"), hostKey(new Uint8Array(32).fill(8), UID)];
    expect(new Set(keys.map(({ fingerprint }) => fingerprint)).size).toBe(3);
  });

  test("is read by ssh2, private and public half alike", () => {
    const { privateKey, publicKey, publicBlob } = hostKey(MASTER, UID);
    for (const text of [privateKey, publicKey]) {
      const parsed = ssh2.utils.parseKey(text);
      if (parsed instanceof Error) throw parsed;
      expect(Buffer.compare(parsed.getPublicSSH(), Buffer.from(publicBlob))).toBe(0);
    }
  });
});

describe("remembered host keys", () => {
  test("are those that would be computed, each under its uid", () => {
    const keyOf = hostKeys(MASTER);
    for (const uid of [UID, "other", UID]) expect(keyOf(uid)).toEqual(hostKey(MASTER, uid));
  });

  test("are not computed again while they are in use, however many others were in use once", () => {
    const keyOf = hostKeys(MASTER, 3);
    const first = keyOf("a");
    const forgotten = keyOf("b");
    for (const uid of ["c", "d", "e"]) {
      keyOf(uid);
      expect(keyOf("a")).toBe(first);
    }
    expect(keyOf("b")).not.toBe(forgotten);
  });
});

test("a comment of any length keeps the file well-formed", () => {
  for (let length = 0; length < 17; length += 1) {
    const parsed = ssh2.utils.parseKey(ed25519KeyPair(MASTER, "c".repeat(length)).privateKey);
    expect(parsed).not.toBeInstanceOf(Error);
  }
});

test("a seed of another length is refused", () => {
  expect(() => ed25519KeyPair(new Uint8Array(31), "short")).toThrow("32 bytes");
});
