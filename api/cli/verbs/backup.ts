// `backup`: the server's database and keys as one file. The file appears whole or not at all: what came is compared with
// the server's word for it before it gets its name.
import { createHash } from "node:crypto";
import { type FileHandle, open as openFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Command } from "commander";
import type { Bytes } from "../client.ts";
import { Failure, UsageError } from "../failure.ts";
import type { Open } from "../open.ts";
import type { Session } from "../session.ts";

/** The server copies and reads all of it before it answers. */
const TAKING_MS = 10 * 60_000;

interface Flags {
  readonly output?: string;
}

interface Summary {
  readonly takenAt: string;
  readonly revision: number;
  readonly objects: number;
}

export function declareBackup(program: Command, open: Open): void {
  program
    .command("backup")
    .argument("[file]", "where to write it; - for stdout")
    .option("-o, --output <file>", "the same")
    .summary("copy the server's database and keys into one file")
    .description(
      "Copy the server's database and keys into one file, while it goes on working. The file holds the private keys of the machines: keep it as you would keep those.",
    )
    .addHelpText(
      "after",
      `
Examples:
  flywheel backup flywheel.backup
  flywheel backup - | age -r KEY >flywheel.backup.age`,
    )
    .action((file: string | undefined, flags: Flags, command: Command) =>
      open(command, (session) => backup(session, targetOf(file, flags))),
    );
}

function targetOf(file: string | undefined, { output }: Flags): string {
  if ((file === undefined) === (output === undefined)) throw new UsageError("name one file, or - for stdout");
  return file ?? output ?? "-";
}

async function backup(session: Session, target: string): Promise<number> {
  const { terminal } = session;
  const take = () => session.client.bytes("/api/backups", { method: "POST", timeoutMs: TAKING_MS });
  if (target !== "-") {
    const saved = await toFile(target, take);
    terminal.write(`${saved.told}\n${saved.bytes} bytes, sha256 ${saved.sha256}, in ${target}\n`);
    return 0;
  }
  const saved = await receive(await take(), async (chunk) => {
    terminal.write(chunk);
    await terminal.drained();
  });
  terminal.note(`${saved.told}\n${saved.bytes} bytes, sha256 ${saved.sha256}`);
  return 0;
}

/** Beside its place and then into it, so that a backup from before stays until this one is there. */
async function toFile(target: string, take: () => Promise<Bytes>): Promise<Received> {
  const draft = `${target}.partial`;
  try {
    await rm(draft, { force: true });
    const received = await toDraft(await openFile(draft, "wx", 0o600), take);
    await rename(draft, target);
    await syncFolder(dirname(target));
    return received;
  } catch (error) {
    await rm(draft, { force: true });
    if (!(error instanceof Error && "code" in error && "syscall" in error)) throw error;
    throw new Failure(`cannot write ${target}: ${error.message}`, { cause: error });
  }
}

async function toDraft(draft: FileHandle, take: () => Promise<Bytes>): Promise<Received> {
  try {
    const received = await receive(await take(), async (chunk) => {
      await draft.writeFile(chunk);
    });
    await draft.sync();
    return received;
  } finally {
    await draft.close();
  }
}

interface Received {
  readonly told: string;
  readonly bytes: number;
  readonly sha256: string;
}

async function receive({ header, body }: Bytes, keep: (chunk: Uint8Array) => Promise<void>): Promise<Received> {
  const told = summaryOf(header("flywheel-backup"));
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    await keep(chunk);
  }
  const digest = hash.digest();
  if (header("repr-digest") !== `sha-256=:${digest.toString("base64")}:`)
    throw new Failure(`the backup arrived incomplete or damaged (${bytes} bytes); nothing is kept of it, try again`);
  return { told, bytes, sha256: digest.toString("hex") };
}

function summaryOf(text: string | undefined): string {
  if (text === undefined) throw new Failure("the answer is no backup; is it a Flywheel server?");
  // Our own server's documented shape.
  const { objects, revision, takenAt } = JSON.parse(text) as Summary;
  return `backup of ${objects} objects at revision ${revision}, taken at ${takenAt}`;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await openFile(folder, "r");
  await handle.sync();
  await handle.close();
}
