// The files of the data directory that a database is of little use without: host keys are derived from one, another is the
// key that machines let in, the third decrypts Secrets. They go into a backup, and come back with it.
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Config } from "./config.ts";
import type { BackupExtras } from "./store/backup.ts";
import { AUTHORITY_FILES } from "./tls.ts";
import { MASTER_SECRET_FILE, SECRETS_KEY_FILE, SSH_KEY_FILE } from "./transports/secrets.ts";

type IdentityFile = BackupExtras["files"][number];

const NAMES: readonly string[] = [
  MASTER_SECRET_FILE,
  SSH_KEY_FILE,
  SECRETS_KEY_FILE,
  AUTHORITY_FILES.cert,
  AUTHORITY_FILES.key,
];

/** What is there. A key that the user keeps elsewhere is named, not copied. */
export function readIdentity({
  dataDir,
  ssh,
  secretsKey,
}: Pick<Config, "dataDir" | "ssh" | "secretsKey">): Pick<BackupExtras, "files" | "elsewhere"> {
  const elsewhere = [
    ...(ssh.keyPath === undefined ? [] : [{ name: SSH_KEY_FILE, said: `SSH_KEY_PATH=${ssh.keyPath}` }]),
    ...(secretsKey === undefined ? [] : [{ name: SECRETS_KEY_FILE, said: "SECRETS_KEY" }]),
  ];
  const ours = NAMES.filter((name) => !elsewhere.some((each) => each.name === name));
  const present = ours.filter((name) => existsSync(join(dataDir, name)));
  return {
    files: present.map((name) => ({ name, content: readFileSync(join(dataDir, name), "utf8") })),
    elsewhere: elsewhere.map(({ said }) => said),
  };
}

/** Files of the backup that stand in the data directory with another content. */
export function conflicting(dataDir: string, files: readonly IdentityFile[]): readonly string[] {
  return known(files)
    .filter(({ name, content }) => {
      const path = join(dataDir, name);
      return existsSync(path) && readFileSync(path, "utf8") !== content;
    })
    .map(({ name }) => name);
}

/** Writes them, 0600; another content that stood there is kept beside under the name that is answered. */
export function installIdentity(dataDir: string, files: readonly IdentityFile[], at: string): readonly string[] {
  const differ = new Set(conflicting(dataDir, files));
  return known(files).flatMap(({ name, content }) => {
    const path = join(dataDir, name);
    const aside = `${path}.replaced-${at.replaceAll(":", "")}`;
    if (differ.has(name)) linkSync(path, aside);
    const draft = `${path}.restoring`;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rmSync(draft, { force: true });
    writeFileSync(draft, content, { mode: 0o600, flush: true });
    renameSync(draft, path);
    chmodSync(path, 0o600);
    return differ.has(name) ? [relative(dataDir, aside)] : [];
  });
}

/** A backup that somebody has made up must not write anywhere else. */
function known(files: readonly IdentityFile[]): readonly IdentityFile[] {
  return files.filter(({ name }) => NAMES.includes(name));
}
