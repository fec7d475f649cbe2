// Every crash point of the short scenarios and a spread over the longer ones; `npm run sim -- --crash-points` explores all.
import { expect, test } from "vitest";
import { explore, problemsOf } from "./crash-points.ts";
import { SCENARIOS } from "./scenarios.ts";

const PATIENCE_MS = 180_000;

test.each(SCENARIOS)(
  "nothing is lost or doubled, wherever the process dies: $name",
  { timeout: PATIENCE_MS },
  async (scenario) => {
    const { explored, points, failed } = await explore(scenario);
    expect(failed.map(problemsOf)).toEqual([]);
    expect(explored).toBe(points);
  },
);
