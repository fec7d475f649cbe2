// Runs: steps that follow each other, fail, take too long, are cancelled, lose their machine, share one with an update.
import { ENDLESS, FAILS, ready, type Scenario, WORK } from "./scenario.ts";

const chain = {
  instances: { box: {} },
  steps: [
    { name: "fetch", run: WORK },
    { name: "compile", run: WORK, dependsOn: ["fetch"] },
    { name: "publish", run: WORK, dependsOn: ["compile"] },
  ],
};

const run = (workflow: string) => ({ workflowRef: { name: workflow } });

export const RUN_SCENARIOS: readonly Scenario[] = [
  {
    name: "run of three dependent steps on its own machine, then cleanup",
    given: (user) => user.create("Workflow", "build", chain),
    async story(user) {
      await user.create("WorkflowRun", "nightly", run("build"));
      await user.finished("WorkflowRun", "nightly");
      await user.gone("Instance", "nightly-box");
    },
  },
  {
    name: "run with retries and a timeout, cancelled midway",
    given: async (user) => {
      await ready(user, "box");
      await user.create("Workflow", "build", {
        instances: { box: { ref: "box" } },
        steps: [
          { name: "flaky", run: FAILS, retry: { limit: 1, backoff: "1s" } },
          { name: "after", run: WORK, dependsOn: ["flaky"] },
          { name: "slow", run: ENDLESS, timeout: "20s", retry: { limit: 2, backoff: "2s", on: ["Timeout"] } },
        ],
      });
    },
    async story(user) {
      await user.create("WorkflowRun", "nightly", run("build"));
      await user.acknowledged("nightly", "slow", 2);
      await user.edit("WorkflowRun", "nightly", { cancel: true });
      await user.finished("WorkflowRun", "nightly");
    },
  },
  {
    name: "run that is deleted while it works",
    given: async (user) => {
      await user.create("Workflow", "build", { instances: { box: {} }, steps: [{ name: "serve", run: ENDLESS }] });
      await user.create("WorkflowRun", "nightly", run("build"));
      await user.acknowledged("nightly", "serve", 1);
    },
    async story(user) {
      await user.remove("WorkflowRun", "nightly");
      await user.gone("WorkflowRun", "nightly");
      await user.gone("Instance", "nightly-box");
    },
  },
  {
    name: "run whose machine is destroyed under a step that may be repeated",
    given: async (user) => {
      await user.create("Workflow", "build", {
        instances: { box: {} },
        steps: [{ name: "compile", run: "sim 12000 0", retry: { limit: 1, backoff: "1s", on: ["Lost"] } }],
        cleanup: "Never",
      });
      await user.create("WorkflowRun", "nightly", run("build"));
      await user.acknowledged("nightly", "compile", 1);
    },
    async story(user) {
      for (const own of user.machines("nightly-box")) user.cloud.destroy(own, true, undefined);
      await user.finished("WorkflowRun", "nightly");
      await user.settled("nightly-box");
    },
  },
  {
    name: "update that waits for a run on a shared machine",
    given: async (user) => {
      await ready(user, "box");
      await user.create("Workflow", "build", {
        instances: { box: { ref: "box" } },
        steps: [{ name: "compile", run: WORK }],
      });
    },
    async story(user) {
      await user.create("WorkflowRun", "nightly", run("build"));
      await user.step("nightly", "compile", "Running");
      await user.edit("Instance", "box", { env: { MODE: "b" } });
      await user.finished("WorkflowRun", "nightly");
      await user.settled("box");
    },
  },
];
