// The result of a kill loop for people: its figures, and every problem.
import type { KillLoopResult } from "./kill-loop.ts";

export function summary(result: KillLoopResult): string {
  const { kills, pauses, acknowledged, unknown, runs, attempts, commands, machines, problems } = result;
  return [
    `${kills} kills and ${pauses} pauses: ${acknowledged} writes acknowledged, ${unknown} unknown; ${runs} runs, ` +
      `${attempts} attempts, ${commands} commands, ${machines} machines`,
    `answers after ${spread(result.listeningMs)}, ready after ${spread(result.readyMs)}, at rest after ${Math.round(result.restMs)} ms`,
    ...problems.map((problem) => `PROBLEM ${problem}`),
    ...(result.log === undefined ? [] : [`logs of the servers and what the clients know: ${result.log}`]),
    problems.length === 0 ? `seed ${result.seed}: nothing lost, nothing doubled` : `seed ${result.seed}: FAILED`,
  ].join("\n");
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `p50 ${Math.round(middle)} ms, max ${Math.round(sorted.at(-1) ?? 0)} ms`;
}
