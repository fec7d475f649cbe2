// Runs a bundle in a process of its own, so that two of them share two cores and nothing of one reaches the next.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Simulated } from "./seeds.ts";

/** The first violations; undefined when no seed has any. Rejects when the process ends otherwise than by itself. */
export async function runSeeds(
  file: string,
  seeds: readonly number[],
  signal: AbortSignal,
): Promise<Simulated | undefined> {
  // The signal ends this child, by its own id.
  const child = spawn(process.execPath, [file, ...seeds.map(String)], { stdio: ["ignore", "pipe", "pipe"], signal });
  let failure = "";
  child.stderr.on("data", (chunk: Buffer) => {
    failure = `${failure}${chunk}`.slice(-2000);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  ended.catch(() => undefined); // awaited below; the reading of lines may fail first
  let last: Simulated | undefined;
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line) as Simulated; // written by seeds.ts
    count += 1;
  }
  const code = await ended;
  const found = last !== undefined && last.violations.length > 0;
  if (code !== 0 || (!found && count < seeds.length)) {
    throw new Error(`the simulation ended with ${code} after ${count} of ${seeds.length} seeds: ${failure}`);
  }
  return found ? last : undefined;
}
