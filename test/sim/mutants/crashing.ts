// Bugs that nobody sees until the process dies at one certain moment: without a death each plays its scenario rightly.
import { MAKING } from "./making.ts";
import type { Mutant } from "./mutant.ts";

export interface CrashMutant extends Pick<Mutant, "name" | "bug" | "edits"> {
  /** Shows it at some of its crash points. */
  readonly scenario: string;
  /** What is said of it there. */
  readonly seen: RegExp;
}

const RUN = "controller/reconcilers/workflow-run.ts";

export const CRASHING: readonly CrashMutant[] = [
  {
    name: "no-intent",
    bug: "a create is sent before anything durable says so",
    edits: MAKING.find(({ name }) => name === "no-intent")?.edits ?? [],
    scenario: "delete while Fly is slow to answer the create",
    seen: /S2 machine/,
  },
  {
    name: "finalizer-dropped-first",
    bug: "an instance is let go before its machine is destroyed",
    edits: [
      {
        file: "controller/runtime/managed.ts",
        find: `        return deleting
          ? external.delete(object, observation.seen, signal)
          : external.update(object, observation.seen, signal);`,
        replace: `        if (!deleting) return external.update(object, observation.seen, signal);
        await dropFinalizer(admission, kind, object, finalizer);
        await external.delete(object, observation.seen, signal);
        return "removed";`,
      },
    ],
    scenario: "delete",
    seen: /S2 machine/,
  },
  {
    name: "unsent-is-lost",
    bug: "an attempt that was written down and not sent counts as one that is gone",
    edits: [
      {
        file: "controller/reconcilers/step-plan.ts",
        find: "if (status.acknowledgedAt !== undefined) {",
        replace: "if (status.state === 'Running') {",
      },
    ],
    scenario: "update that waits for a run on a shared machine",
    seen: /step compile is "Failed after 1/,
  },
  {
    name: "cleanup-as-an-event",
    bug: "machines are removed when a run ends, not whenever it has ended",
    edits: [
      {
        file: RUN,
        find: "const instancesOf = createRunInstances(store, admission);",
        replace: `const instancesOf = createRunInstances(store, admission);
  const ending = new Set<string>();`,
      },
      {
        file: RUN,
        find: "if (isFinished(run)) return finish(run, deleting);",
        replace: "if (isFinished(run)) return deleting || ending.has(run.metadata.uid) ? finish(run, deleting) : {};",
      },
      {
        file: RUN,
        find: "if (isFinished(next)) await freeMachines(next, instances, signal);",
        replace: `if (isFinished(next)) ending.add(next.metadata.uid);
    if (isFinished(next)) await freeMachines(next, instances, signal);`,
      },
    ],
    scenario: "run of three dependent steps on its own machine, then cleanup",
    seen: /came to no end/,
  },
];
