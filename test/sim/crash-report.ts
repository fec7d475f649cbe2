// `npm run sim -- --crash-points` explores every point of every scenario and prints a table; `--scenario TEXT` takes those
// whose name contains it, and `--at 12/after` plays one point, or `12/after,3/before` one after the other, and prints all.
import { EVERYTHING, explore, play, problemsOf } from "./crash-points.ts";
import { type Point, parsePoint } from "./reaper.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import type { Scenario } from "./scenarios/scenario.ts";

/** Answers the exit code. */
export async function reportCrashPoints(name: string, at: string, nowMs: () => number): Promise<number> {
  const scenarios = SCENARIOS.filter((each) => each.name.includes(name));
  if (at !== "") return replay(scenarios, at.split(",").map(parsePoint));
  const began = nowMs();
  const width = Math.max(...scenarios.map((each) => each.name.length));
  console.log(`${"scenario".padEnd(width)}  effects  points  explored  doubles  outcome`);
  let plays = 0;
  let failures = 0;
  for (const scenario of scenarios) {
    const { effects, points, explored, doubles, failed } = await explore(scenario, EVERYTHING);
    const outcome = failed.length === 0 ? "as undisturbed" : `${failed.length} FAILED`;
    const figures = [effects.length, points, explored, doubles].map((each, column) =>
      String(each).padStart(["effects", "points", "explored", "doubles"][column]?.length ?? 0),
    );
    console.log(`${scenario.name.padEnd(width)}  ${figures.join("  ")}  ${outcome}`);
    for (const each of failed) console.log(`  ${problemsOf(each)}`);
    plays += explored + doubles;
    failures += failed.length;
  }
  console.log(`${plays} deaths in ${((nowMs() - began) / 1000).toFixed(1)} s, ${failures} failed`);
  return failures === 0 ? 0 : 1;
}

async function replay(scenarios: readonly Scenario[], points: readonly Point[]): Promise<number> {
  let failures = 0;
  for (const scenario of scenarios) {
    let played = await play(scenario, []);
    for (let deaths = 1; deaths <= points.length; deaths += 1)
      played = await play(scenario, points.slice(0, deaths), played);
    for (const line of played.lines) console.log(line);
    for (const problem of played.problems) console.log(`${scenario.name}: ${problem}`);
    failures += played.problems.length;
  }
  return failures === 0 ? 0 : 1;
}
