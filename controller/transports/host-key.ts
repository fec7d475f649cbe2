// The SSH host key of an instance, computed from a secret of ours and the instance's uid: the same for every attempt to make
// its machine, and pinned without ever being stored beside it. Whoever does not know the secret cannot pose as the machine.
import { hkdfSync } from "node:crypto";
import { ed25519KeyPair, type SshKeyPair } from "./ed25519-key.ts";

/** Part of the derivation: another purpose of the same secret needs another text. */
const PURPOSE = "flywheel ssh host key v1";

export function hostKey(masterSecret: Uint8Array, uid: string): SshKeyPair {
  const seed = new Uint8Array(hkdfSync("sha256", masterSecret, PURPOSE, uid, 32));
  return ed25519KeyPair(seed, "flywheel-host-key");
}
