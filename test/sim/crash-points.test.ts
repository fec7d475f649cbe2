// Every crash point of the short scenarios, and each effect of the long ones in one way; `npm run sim -- --crash-points`
// explores all of them.
import { expect, test } from "vitest";
import { type Choice, explore, play, problemsOf } from "./crash-points.ts";
import { MODES } from "./reaper.ts";
import { SCENARIOS } from "./scenarios/all.ts";

const PATIENCE_MS = 180_000;
/** Effects of a scenario whose points are all explored here. */
const SHORT = 20;
/** Of the points, one in so many is followed by a second death. */
const DOUBLES = 18;

const choice: Choice = {
  point: (number, effects) =>
    effects <= SHORT || number % MODES.length === Math.floor(number / MODES.length) % MODES.length,
  double: (number) => number % DOUBLES === 0,
};

test("a point that is not reached, or is another one than undisturbed, is an error", async () => {
  const [scenario] = SCENARIOS;
  if (!scenario) throw new Error("there are no scenarios");
  const undisturbed = await play(scenario, []);
  const late = await play(scenario, [{ effect: 1000, mode: "before" }], undisturbed);
  expect(late.problems).toContain("1 points were not reached");
  const [first = [], ...others] = undisturbed.lives;
  const course = { ...undisturbed, lives: [first.with(2, { name: "connect", atMs: 0 }), ...others] };
  const elsewhere = await play(scenario, [{ effect: 4, mode: "after" }], course);
  expect(elsewhere.problems).toEqual(["effect 2 of life 1 is commit, expected connect"]);
});

test("an end that is not the undisturbed one is an error", async () => {
  const [scenario] = SCENARIOS;
  if (!scenario) throw new Error("there are no scenarios");
  const undisturbed = await play(scenario, []);
  const facts = new Map([...undisturbed.facts, ["machine box 1 life", "created"]]);
  const other = await play(scenario, [{ effect: 4, mode: "after" }], { ...undisturbed, facts });
  expect(other.problems).toEqual(['machine box 1 life is "created started", undisturbed "created"']);
});

test.each(SCENARIOS)(
  "wherever the process dies, it ends as undisturbed: $name",
  { timeout: PATIENCE_MS },
  async (scenario) => {
    const { effects, explored, failed } = await explore(scenario, choice);
    expect(failed.map(problemsOf)).toEqual([]);
    expect(explored).toBeGreaterThanOrEqual(effects.length);
  },
);
