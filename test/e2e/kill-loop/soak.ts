// `npm run soak -- --kills N --seed S`: the kill loop for as long as one likes. Exit 0 when nothing was lost or doubled.
import { parseArgs } from "node:util";
import { messageOf } from "../../../controller/kernel/errors.ts";
import { killLoop } from "./kill-loop.ts";
import { summary } from "./summary.ts";

const USAGE = `npm run soak -- [options]     kills the real server under load and checks that nothing is lost or doubled
  --kills N       kills with -9 (200)
  --pauses N      times that the server is stopped for 20 s and continued (3)
  --seed S        what decides the moments and the load (of the clock)`;
const PAUSE_MS = 20_000;
const REST_MS = 180_000;

async function soak(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { kills: text, pauses: text, seed: text, help: { type: "boolean" } },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const seed = count("seed", values.seed, Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  const terminal = process.stdout.isTTY;
  const stop = new AbortController();
  const end = () => stop.abort(new Error("stopped; what was started is ended"));
  process.once("SIGINT", end).once("SIGTERM", end);
  const result = await killLoop({
    seed,
    kills: count("kills", values.kills, 200),
    pauses: count("pauses", values.pauses, 3),
    pauseMs: PAUSE_MS,
    restMs: REST_MS,
    signal: stop.signal,
    progress: (line) => process.stdout.write(terminal ? `\r\u001b[2K${line}` : `${line}\n`),
  });
  console.log(`${terminal ? "\n" : ""}${summary(result)}`);
  return result.problems.length === 0 ? 0 : 1;
}

function count(name: string, value: string | undefined, unless: number): number {
  if (value === undefined) return unless;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new Error(`--${name} ${value}: must be a whole number`);
}

process.exitCode = await soak().catch((error: unknown) => {
  console.error(messageOf(error));
  return 1;
});
