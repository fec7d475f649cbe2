// The SSH host key of an instance, computed from a secret of ours and the instance's uid: the same for every attempt to make
// its machine, and pinned without ever being stored beside it. Whoever does not know the secret cannot pose as the machine.
import { hkdfSync } from "node:crypto";
import { HOST_KEYS_KEPT } from "../limits.ts";
import { ed25519KeyPair, type SshKeyPair } from "./ed25519-key.ts";

/** Part of the derivation: another purpose of the same secret needs another text. */
const PURPOSE = "flywheel ssh host key v1";

export function hostKey(masterSecret: Uint8Array, uid: string): SshKeyPair {
  const seed = new Uint8Array(hkdfSync("sha256", masterSecret, PURPOSE, uid, 32));
  return ed25519KeyPair(seed, "flywheel-host-key");
}

/** The host keys under one secret. Those that were asked for last are remembered: every look at a machine needs its key. */
export function hostKeys(masterSecret: Uint8Array, kept = HOST_KEYS_KEPT): (uid: string) => SshKeyPair {
  const known = new Map<string, SshKeyPair>(); // the one asked for longest ago comes first
  return (uid) => {
    const key = known.get(uid) ?? hostKey(masterSecret, uid);
    known.delete(uid);
    known.set(uid, key);
    const [oldest = uid] = known.keys();
    if (known.size > kept) known.delete(oldest);
    return key;
  };
}
