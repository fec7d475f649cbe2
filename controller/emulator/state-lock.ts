// One emulator owns a state directory. The lock names its process; a lock whose process is gone is taken over.
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../kernel/folder.ts";

export class StateLockError extends Error {
  override readonly name = "StateLockError";
}

/** Returns what releases it. */
export async function lockState(directory: string): Promise<() => Promise<void>> {
  makeFolder(directory);
  const path = join(directory, "emulator.lock");
  const own = `${process.pid} ${await startOf(process.pid)}`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(own);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      const [pid, start] = (await readFile(path, "utf8")).split(" ");
      if (start !== undefined && (await startOf(Number(pid))) === start) {
        throw new StateLockError(`${directory} is in use by the emulator with pid ${pid}; stop it, or choose another`);
      }
      await rm(path, { force: true });
    }
  }
  throw new StateLockError(`${directory} cannot be locked`);
}

/** When the process began, as far as it can be told: pids are used again. Empty when there is no such process. */
async function startOf(pid: number): Promise<string> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return "";
  }
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "alive";
}
