// Secrets that are made once and kept in files only their owner can read. Made whole under another name and then linked, so
// that neither a crash nor a second process can leave half a file, or two different secrets.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import ssh2 from "ssh2";
import { makeFolder } from "../kernel/folder.ts";
import { ed25519KeyPair } from "./ed25519-key.ts";

const KEY_BYTES = 32;

/**
 * In the data directory. Without the first no host key is known any more; without the second no machine lets us in; without the
 * third no Secret can be read.
 */
export const MASTER_SECRET_FILE = "host-key-master";
export const SSH_KEY_FILE = "ssh_key";
export const SECRETS_KEY_FILE = "secrets-key";

/** The secret that host keys are derived from; losing it means that no machine's host key is known any more. */
export function readMasterSecret(dataDir: string): Uint8Array {
  return readOrMakeBytes(join(dataDir, MASTER_SECRET_FILE));
}

/** What Secrets are encrypted with in the database; losing it means losing them. */
export function readSecretsKey(dataDir: string): Uint8Array {
  return readOrMakeBytes(join(dataDir, SECRETS_KEY_FILE));
}

function readOrMakeBytes(path: string): Uint8Array {
  const text = readOrMake(path, () => randomBytes(KEY_BYTES).toString("base64"));
  keepPrivate(path);
  const secret = Buffer.from(text.trim(), "base64");
  if (secret.length !== KEY_BYTES) throw new SecretFileError(`${path} does not hold ${KEY_BYTES} bytes in base64`);
  return secret;
}

export interface ClientKey {
  readonly path: string;
  /** As ssh2 takes it: the text of the file. */
  readonly privateKey: string;
  /** The line for a machine's authorized_keys. */
  readonly publicKey: string;
}

/** Our own key to log in with: the file at `path`, or one in the data directory; made when absent. */
export function readOrMakeSshKey(path: string | undefined, dataDir: string): ClientKey {
  const file = path ?? join(dataDir, SSH_KEY_FILE);
  const privateKey = readOrMake(file, () => ed25519KeyPair(randomBytes(32), "flywheel").privateKey);
  if (path === undefined) keepPrivate(file); // a file of the user's, mounted perhaps, keeps its mode
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) {
    throw new SecretFileError(`${file} is not a private key without passphrase that can be used: ${parsed.message}`);
  }
  if (!parsed.isPrivateKey()) throw new SecretFileError(`${file} is a public key: give the private one`);
  return { path: file, privateKey, publicKey: `${parsed.type} ${parsed.getPublicSSH().toString("base64")} flywheel` };
}

export class SecretFileError extends Error {
  override readonly name = "SecretFileError";
}

function readOrMake(path: string, make: () => string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  makeFolder(dirname(path));
  const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    writeDurably(draft, make());
    linkSync(draft, path); // fails when another process was faster: then its file counts
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, "utf8");
}

/** Our own files are for us alone, also after a copy or a restored backup has opened them. */
function keepPrivate(path: string): void {
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
