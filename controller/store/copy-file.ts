// Copies a file that this process has locked. POSIX drops a process's locks on a file as soon as it closes any descriptor
// of it, so merely reading the database beside SQLite would let a second server in: a process of its own does it.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Into a file that exists, whose mode stays. Where the file system can, the copy shares its blocks. */
export async function copyLocked(from: string, to: string, signal: AbortSignal): Promise<void> {
  await run(process.execPath, ["--eval", PROGRAM, from, to], { signal, env: {} });
}

const PROGRAM = `
const { constants, copyFileSync } = require("node:fs");
copyFileSync(process.argv[1], process.argv[2], constants.COPYFILE_FICLONE);
`;
