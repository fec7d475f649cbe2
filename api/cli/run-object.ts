// Runs as the server serves them, and what changed between two looks at one: the progress that people see.
import { formatElapsed } from "./duration.ts";
import type { ApiObject, Condition } from "./object.ts";

export interface Step {
  readonly name: string;
  readonly state: "Pending" | "Running" | "Succeeded" | "Failed" | "Skipped" | "Cancelled";
  readonly attempts: number;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly exitCode?: number;
  readonly retryAt?: string;
  readonly message?: string;
}

export interface Run extends Omit<ApiObject, "spec" | "status"> {
  readonly spec: { readonly workflowRef: { readonly name: string }; readonly cancel?: boolean };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly startedAt?: string;
    readonly finishedAt?: string;
    readonly steps?: readonly Step[];
  };
}

export type Verdict = "succeeded" | "failed" | "cancelled";

export interface Progress {
  readonly step: string | undefined;
  readonly text: string;
  readonly tone: "neutral" | "good" | "bad";
  /** The attempt is over: what it wrote comes before this line. */
  readonly ended: boolean;
}

/** Undefined while the run goes on. */
export function verdictOf(run: Run): Verdict | undefined {
  const succeeded = run.status?.conditions?.find(({ type }) => type === "Succeeded");
  if (succeeded?.status === "True") return "succeeded";
  if (succeeded?.status !== "False") return undefined;
  return succeeded.reason === "Cancelled" ? "cancelled" : "failed";
}

export function progressBetween(before: Run | undefined, run: Run): readonly Progress[] {
  const known = new Map(before?.status?.steps?.map((step) => [step.name, step]));
  const steps = run.status?.steps ?? [];
  const changes = steps.flatMap((step) => stepProgress(known.get(step.name), step));
  if (changes.length > 0 || steps.some(({ state }) => state !== "Pending")) return changes;
  return waitingFor(before, run);
}

/** Before the first step there are machines to be made; what the run says of that is all the progress there is. */
function waitingFor(before: Run | undefined, run: Run): readonly Progress[] {
  const [was, is] = [before, run].map((each) => each?.status?.conditions?.find(({ type }) => type === "Succeeded"));
  if (is?.status !== "Unknown" || !is.message || is.message === was?.message) return [];
  return [{ step: undefined, text: is.message, tone: "neutral", ended: false }];
}

function stepProgress(before: Step | undefined, step: Step): readonly Progress[] {
  if (before && before.state === step.state && before.attempts === step.attempts) return [];
  const line = (text: string, tone: Progress["tone"] = "neutral", ended = false): Progress[] => [
    { step: step.name, text, tone, ended },
  ];
  const why = reasonOf(step);
  switch (step.state) {
    case "Pending":
      return step.attempts === 0 ? [] : line(`failed${why}, will be tried again`, "bad", true);
    case "Running":
      return line(step.attempts > 1 ? `running (attempt ${step.attempts})` : "running");
    case "Succeeded":
      return line(`succeeded${tookOf(step)}`, "good", true);
    case "Failed":
      return line(
        `failed${step.attempts > 1 ? ` after ${step.attempts} attempts` : ""}${tookOf(step)}${why}`,
        "bad",
        true,
      );
    case "Skipped":
      return line(`skipped${step.message ? `: ${step.message}` : ""}`);
    case "Cancelled":
      return line(`cancelled${step.message ? `: ${step.message}` : ""}`, "bad", true);
  }
}

function reasonOf({ message, exitCode }: Step): string {
  if (message) return `: ${message}`;
  return exitCode === undefined ? "" : `: exit code ${exitCode}`;
}

function tookOf(times: { readonly startedAt?: string; readonly finishedAt?: string }): string {
  if (!times.startedAt || !times.finishedAt) return "";
  return ` in ${formatElapsed(Date.parse(times.finishedAt) - Date.parse(times.startedAt))}`;
}

/** The last line: what became of the run, and why. */
export function summaryOf(run: Run, verdict: Verdict): string {
  const condition = run.status?.conditions?.find(({ type }) => type === "Succeeded");
  const why = verdict === "succeeded" || !condition?.message ? "" : `: ${condition.message}`;
  return `workflowrun/${run.metadata.name} ${verdict}${tookOf(run.status ?? {})}${why}`;
}
