// An ed25519 key pair in OpenSSH's own formats, from 32 bytes. The same bytes give the same text, to the last character:
// the text goes into a machine's configuration, where any difference counts as drift.
// Source: openssh-portable, PROTOCOL.key; RFC 8709.
import { createHash, createPrivateKey, createPublicKey } from "node:crypto";

export interface SshKeyPair {
  /** OpenSSH private key file, unencrypted. */
  readonly privateKey: string;
  /** One line as in authorized_keys: type, key, comment. */
  readonly publicKey: string;
  /** The public key as it travels in the protocol; what a pin is compared with. */
  readonly publicBlob: Uint8Array;
  /** As `ssh-keygen -l` prints it: `SHA256:…`. */
  readonly fingerprint: string;
}

const TYPE = "ssh-ed25519";
/** DER of a PKCS #8 ed25519 key up to its 32 bytes (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SEED_BYTES = 32;
const CIPHER_BLOCK = 8;
const LINE_CHARS = 70;

export function ed25519KeyPair(seed: Uint8Array, comment: string): SshKeyPair {
  if (seed.byteLength !== SEED_BYTES) throw new RangeError(`an ed25519 seed has ${SEED_BYTES} bytes`);
  const raw = publicHalf(seed);
  const publicBlob = Buffer.concat([string(TYPE), string(raw)]);
  return {
    privateKey: privateKeyFile(seed, raw, publicBlob, comment),
    publicKey: `${TYPE} ${publicBlob.toString("base64")} ${comment}`,
    publicBlob,
    fingerprint: fingerprintOf(publicBlob),
  };
}

export function fingerprintOf(publicBlob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(publicBlob).digest("base64").replace(/=+$/, "")}`;
}

function publicHalf(seed: Uint8Array): Buffer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-SEED_BYTES);
}

function privateKeyFile(seed: Uint8Array, raw: Buffer, publicBlob: Buffer, comment: string): string {
  // two equal numbers tell a reader that decryption worked; random elsewhere, here computed, for equal text
  const check = createHash("sha256").update(publicBlob).digest().subarray(0, 4);
  const secret = Buffer.concat([
    check,
    check,
    string(TYPE),
    string(raw),
    string(Buffer.concat([seed, raw])),
    string(comment),
  ]);
  const padding = Buffer.from(Array.from({ length: -secret.length & (CIPHER_BLOCK - 1) }, (_, index) => index + 1));
  const file = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    string("none"), // cipher
    string("none"), // key derivation
    string(""), // its options
    Buffer.from([0, 0, 0, 1]), // number of keys
    string(publicBlob),
    string(Buffer.concat([secret, padding])),
  ]);
  const lines = file.toString("base64").match(new RegExp(`.{1,${LINE_CHARS}}`, "g")) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join("\n")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** A length of four bytes, then the bytes: the protocol's `string`. */
function string(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
