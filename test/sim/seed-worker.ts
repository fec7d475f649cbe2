// A worker of `simulateMany`: simulates each seed that it is sent, and answers what came of it. A failure outside the
// simulated world is the simulator's own: it ends the worker, and with it the run.
import { parentPort } from "node:worker_threads";
import { outcomeOf } from "./outcome.ts";

parentPort?.on("message", (seed: number) => {
  outcomeOf(seed).then((outcome) => parentPort?.postMessage(outcome));
});
