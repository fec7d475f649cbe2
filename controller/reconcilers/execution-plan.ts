// What becomes of a command that runs: a pure function of its status, what was seen of it, and the time.
import type { Execution, ExecutionStatus } from "../../crds/execution.ts";
import { preciseTimestamp } from "../kernel/clock.ts";
import { EXECUTION_UNREACHABLE_MAX_MS, STEP_ACKNOWLEDGE_MS } from "../limits.ts";
import type { AttemptView } from "./step-plan.ts";

export interface ExecutionPlan {
  readonly status: ExecutionStatus;
  /** To be done once status is durable. */
  readonly act?: "start" | "cancel" | undefined;
  readonly dueAtMs: number;
}

export function planExecution({ spec, metadata, status }: Execution, view: AttemptView, nowMs: number): ExecutionPlan {
  const before: ExecutionStatus = { ...status, state: "Running" };
  const startedMs = Date.parse(before.startedAt ?? "");
  const deadlineMs = startedMs + spec.timeoutMs;
  const cancelled = spec.cancel || metadata.deletionTimestamp !== undefined;
  const ending = cancelled || nowMs >= deadlineMs;
  const dueAtMs = ending ? deadlineMs + EXECUTION_UNREACHABLE_MAX_MS : deadlineMs;
  const end = (state: ExecutionStatus["state"], result: Partial<ExecutionStatus>): ExecutionPlan => ({
    status: { ...before, message: undefined, ...result, state, completedAt: preciseTimestamp(nowMs) },
    dueAtMs,
  });
  const lost = (message: string) => end(cancelled ? "Cancelled" : "Failed", { message: `lost: ${message}` });
  const timeout = `took longer than ${spec.timeoutMs} ms; its process group was killed`;
  switch (view.state) {
    case "Exited":
      return end(view.exitCode === 0 ? "Succeeded" : "Failed", { exitCode: view.exitCode });
    case "Abandoned":
      return cancelled ? end("Cancelled", {}) : end("Timeout", { message: timeout });
    case "Lost":
      return lost(view.message);
    case "Absent":
      if (before.acknowledgedAt !== undefined) return lost("the job is gone from the machine");
      return { status: before, act: ending ? "cancel" : "start", dueAtMs };
    case "Running": {
      const acknowledgedAt = nowMs - startedMs < STEP_ACKNOWLEDGE_MS ? undefined : preciseTimestamp(nowMs);
      const next = { ...before, message: undefined, acknowledgedAt: before.acknowledgedAt ?? acknowledgedAt };
      return { status: next, act: ending ? "cancel" : undefined, dueAtMs };
    }
    case "Unreachable":
      if (nowMs >= deadlineMs + EXECUTION_UNREACHABLE_MAX_MS) {
        return end(cancelled ? "Cancelled" : "Timeout", { message: `the machine does not answer: ${view.message}` });
      }
      return {
        status: { ...before, message: before.message ?? `the machine does not answer: ${view.message}` },
        act: ending ? "cancel" : undefined,
        dueAtMs,
      };
  }
}
