// A step that is over has ended on its machine too: what was cancelled, or took too long, does not go on there. Only what was
// given up because nobody could see it may.
import type { StepStatus, WorkflowRun } from "../../crds/workflow-run.ts";
import type { BegunJob } from "./jobs-on-machines.ts";

export interface Endings {
  committed(run: WorkflowRun): void;
  tick(running: readonly BegunJob[]): void;
}

/** Status is written when the machine has said so; this is for a read that was under way. */
const ENDED_MAX_MS = 5_000;

export function createEndings({ nowMs, violated }: { nowMs(): number; violated(what: string): void }): Endings {
  const overSince = new Map<string, number>();

  return {
    committed({ metadata, status }) {
      for (const step of status?.steps ?? []) {
        const id = `${metadata.uid}/${step.name}`;
        if (!wasSeenToEnd(step)) overSince.delete(id);
        else if (!overSince.has(id)) overSince.set(id, nowMs());
      }
    },
    tick(running) {
      for (const { key, machineId } of running) {
        const sinceMs = overSince.get(`${key.run}/${key.step}`);
        if (sinceMs === undefined || nowMs() - sinceMs <= ENDED_MAX_MS) continue;
        violated(
          `S4 ${key.run}/${key.step} is over since ${sinceMs} ms, and attempt ${key.attempt} runs on ${machineId}`,
        );
      }
    },
  };
}

/** One that is cancelled with a message was lost from sight, as was one that is Lost. */
function wasSeenToEnd({ state, reason, message }: StepStatus): boolean {
  if (state === "Cancelled") return message === undefined;
  return (state === "Succeeded" || state === "Failed") && reason !== "Lost";
}
