// The real server, killed with -9 again and again while clients write to it: what it has acknowledged is there, each
// instance has the one machine it ever had, and no step has run twice. `npm run soak` goes on with it.
import { expect, test } from "vitest";
import { killLoop } from "./kill-loop/kill-loop.ts";
import { summary } from "./kill-loop/summary.ts";

const REST_MS = 60_000;
/** 47 s on a computer that has little else to do. */
const TIMEOUT_MS = 240_000;

test("ten kills and a pause under load lose nothing, double nothing, and run nothing twice", {
  timeout: TIMEOUT_MS,
}, async () => {
  const seed = Date.now() % 1_000_000;
  const result = await killLoop({ seed, kills: 10, pauses: 1, pauseMs: 5000, restMs: REST_MS });
  console.log(summary(result));
  expect(result.problems, summary(result)).toEqual([]);
  expect(result.acknowledged).toBeGreaterThan(100);
  expect(result.attempts).toBeGreaterThan(5); // else nothing was shown
});
