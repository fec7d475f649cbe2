// Every crash point of the short scenarios, and each effect of the long ones in one way; `npm run sim -- --crash-points`
// explores all of them.
import { expect, test } from "vitest";
import { type Choice, explore, problemsOf } from "./crash-points.ts";
import { MODES } from "./reaper.ts";
import { SCENARIOS } from "./scenarios/all.ts";

const PATIENCE_MS = 180_000;
/** Effects of a scenario whose points are all explored here. */
const SHORT = 30;
/** Of the points, one in so many is followed by a second death. */
const DOUBLES = 18;

const choice: Choice = {
  point: (number, effects) =>
    effects <= SHORT || number % MODES.length === Math.floor(number / MODES.length) % MODES.length,
  double: (number) => number % DOUBLES === 0,
};

test.each(SCENARIOS)(
  "wherever the process dies, it ends as undisturbed: $name",
  { timeout: PATIENCE_MS },
  async (scenario) => {
    const { effects, explored, failed } = await explore(scenario, choice);
    expect(failed.map(problemsOf)).toEqual([]);
    expect(explored).toBeGreaterThanOrEqual(effects.length);
  },
);
