// How long this computer's disk takes to make 4 KiB durable while something else is measured: what a figure that holds
// several commits must be read against, and what shows that others were using the disk.
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const BLOCK = Buffer.alloc(4096, 1);
/** Seldom enough not to be a load itself. */
const EVERY_MS = 200;

/** Looks at the disk while `work` runs; answers its result and the milliseconds of each look. */
export async function watchingDisk<T>(
  folder: string,
  work: () => Promise<T>,
): Promise<{ result: T; diskMs: number[] }> {
  const diskMs: number[] = [];
  const done = new AbortController();
  const looks = look(folder, diskMs, done.signal);
  try {
    return { result: await work(), diskMs };
  } finally {
    done.abort();
    await looks;
  }
}

async function look(folder: string, diskMs: number[], signal: AbortSignal): Promise<void> {
  const file = await open(join(folder, "disk"), "w");
  try {
    do {
      const beganMs = performance.now();
      await file.write(BLOCK);
      await file.datasync();
      diskMs.push(performance.now() - beganMs);
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined /* the work is done: the loop ends */);
    } while (!signal.aborted);
  } finally {
    await file.close();
  }
}
