// The scenarios whose every crash point is explored: what somebody plausibly does, in as few effects as show it. `given`
// is there before the first crash; what happens in `story` is what gets disturbed.
import type { User } from "./user.ts";

export interface Scenario {
  readonly name: string;
  given?(user: User): Promise<void>;
  story(user: User): Promise<void>;
  /** Facts that an outage may rightly change. */
  readonly varies?: RegExp;
}

/** Longer than an outage, shorter than any timeout here. */
const WORK = "sim 6000 0";

async function ready(user: User, name: string, spec: object = {}): Promise<void> {
  await user.instance(name, spec);
  await user.settled(name);
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "create to Ready",
    story: (user) => ready(user, "box"),
  },
  {
    name: "create where the first region is full",
    given: async ({ cloud }) => {
      cloud.faults.fullRegions = ["iad"];
    },
    story: (user) => ready(user, "box", { fallbackRegions: ["ord"] }),
  },
  {
    name: "three dependent steps on a machine of the run's own",
    given: (user) =>
      user.workflow("build", {
        instances: { box: {} },
        steps: [
          { name: "fetch", run: WORK },
          { name: "compile", run: WORK, dependsOn: ["fetch"] },
          { name: "publish", run: WORK, dependsOn: ["compile"] },
        ],
      }),
    async story(user) {
      await user.run("nightly", "build");
      await user.finished("WorkflowRun", "nightly");
      await user.gone("Instance", "nightly-box");
    },
  },
];
