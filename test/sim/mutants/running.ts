// Bugs in runs and their steps: begun twice, begun too early, begun although nobody wants it any more.
import type { Mutant } from "./mutant.ts";

const RUN = "controller/reconcilers/workflow-run.ts";
const STEP_PLAN = "controller/reconcilers/step-plan.ts";
const RUN_PLAN = "controller/reconcilers/run-plan.ts";

export const RUNNING: readonly Mutant[] = [
  {
    name: "step-sent-before-commit",
    bug: "an attempt is sent before it is written down",
    peer: "argo-workflows#13986",
    breaks: ["S4"],
    edits: [
      {
        file: RUN,
        find: "const next = await commit(run, statusOf(run, plan, nowMs));",
        replace: `const planned = { ...run, status: statusOf(run, plan, nowMs) };
    if (!isFinished(planned)) await act(planned, plan, instances, signal);
    const next = await commit(run, planned.status);`,
      },
    ],
  },
  {
    name: "attempt-not-bound-to-a-boot",
    bug: "a machine that has booted since begins an old attempt again",
    peer: "argo-workflows#13986",
    breaks: ["S4"],
    edits: [
      {
        file: RUN,
        find: "const { bootId } = step;",
        replace: "const bootId = job && (await jobs.bootId(job, signal));",
      },
    ],
  },
  {
    name: "retry-not-counted",
    bug: "a retry is the same attempt again",
    peer: "argo-workflows#13986",
    breaks: ["S4"],
    edits: [
      {
        file: STEP_PLAN,
        find: 'status: { ...status, state: "Pending", retryAt, reason: how, message },',
        replace:
          'status: { ...status, attempts: status.attempts - 1, state: "Pending", retryAt, reason: how, message },',
      },
    ],
  },
  {
    name: "dependent-not-waiting",
    bug: "a step begins while what it depends on still runs",
    peer: "none: the rule itself",
    breaks: ["S5"],
    edits: [{ file: RUN_PLAN, find: "if (open.length > 0) return { status };", replace: "" }],
  },
  {
    name: "retry-beside-timed-out",
    bug: "the next attempt starts while the one that timed out still runs",
    peer: "hatchet#1022",
    breaks: ["S4"],
    edits: [
      {
        file: STEP_PLAN,
        find: 'case "Running": {',
        replace: `case "Running": {
      if (ending && !cancelled) return failed(step, reached, "Timeout", timeout, moment);`,
      },
      {
        file: RUN,
        find: " || !(await isFormerOver(job, signal))",
        replace: "",
      },
    ],
  },
  {
    name: "cancelled-run-wakes",
    bug: "a cancelled run that waits for its next attempt makes it",
    peer: "hatchet#4900",
    breaks: ["S4"],
    edits: [
      {
        file: RUN_PLAN,
        find: 'if (input.cancelled) return over(status, "Cancelled"',
        replace: 'if (input.cancelled && status.retryAt === undefined) return over(status, "Cancelled"',
      },
    ],
  },
  {
    name: "cancel-is-only-said",
    bug: "a cancelled step is over while its processes go on",
    peer: "hatchet#1147",
    breaks: ["S4"],
    edits: [
      {
        file: STEP_PLAN,
        find: 'case "Running": {',
        replace: `case "Running": {
      if (cancelled) return over(reached, "Cancelled", nowMs, { reason: "Cancelled" });`,
      },
    ],
  },
  {
    name: "definition-not-kept",
    bug: "a run follows its workflow as it is now, not as it was at its start",
    peer: "airbyte#13973",
    breaks: ["S4", "S5", "L3"],
    edits: [
      {
        file: RUN,
        find: "const definition = run.status?.definition?.spec;\n    if (!definition) return {};",
        replace: `const { namespace } = run.metadata;
    const current = await store.get(workflowKind, { namespace, name: run.spec.workflowRef.name });
    const definition = current?.spec ?? run.status?.definition?.spec;
    if (!definition) return {};`,
      },
    ],
  },
  {
    name: "failed-run-not-cleaned-up",
    bug: "a run that failed leaves its machines",
    peer: "Conway/automaton#226",
    breaks: ["S2"],
    edits: [
      {
        file: RUN,
        find: 'else if (cleanup === "Always" || succeeded || deleting) await',
        replace: "else if (succeeded || deleting) await",
      },
    ],
  },
  {
    name: "parameters-in-a-message",
    bug: "the values that a run was given are repeated in its condition",
    peer: "vm0#501",
    breaks: ["S12"],
    edits: [
      {
        file: "controller/reconcilers/run-start.ts",
        find: '...withVerdict(run, { status: "Unknown", reason: "Pending", message: "about to begin" }, nowMs),',
        replace: `...withVerdict(run, {
      status: "Unknown", reason: "Pending", message: \`begins with \${JSON.stringify(values.parameters)}\`,
    }, nowMs),`,
      },
    ],
  },
];
