// A machine that exists is changed: by its user, by the clock, or behind our back.
import { ready, type Scenario, WORK } from "./scenario.ts";

export const CHANGE_SCENARIOS: readonly Scenario[] = [
  {
    name: "update that restarts the machine",
    given: (user) => ready(user, "box"),
    async story(user) {
      await user.edit("Instance", "box", { env: { MODE: "b" } });
      await user.settled("box");
    },
  },
  {
    name: "update of a stopped machine, then start",
    given: async (user) => {
      await ready(user, "box", { operatingMode: "Running" });
      await user.edit("Instance", "box", { operatingMode: "Stopped" });
      await user.settled("box", "Stopped");
    },
    async story(user) {
      await user.edit("Instance", "box", { env: { MODE: "b" } });
      await user.until(() => user.machines("box").every(({ config }) => config.env?.MODE === "b"));
      await user.edit("Instance", "box", { operatingMode: "Running" });
      await user.settled("box");
    },
  },
  {
    name: "labels are taken off the machine and put back in place",
    given: (user) => ready(user, "box"),
    async story(user) {
      const [own] = user.machines("box");
      if (!own) return;
      const { "flywheel-name": _taken, ...metadata } = own.config.metadata ?? {};
      own.config = { ...own.config, metadata };
      user.cloud.touched(own, { updated: true });
      await user.until(() => user.machines("box").length > 0);
    },
  },
  {
    name: "suspend and resume",
    given: (user) => ready(user, "box"),
    async story(user) {
      await user.edit("Instance", "box", { operatingMode: "Suspended" });
      await user.settled("box", "Suspended");
      await user.edit("Instance", "box", { operatingMode: "Running" });
      await user.settled("box");
    },
  },
  {
    name: "idle suspend, woken by a request, used, idle again",
    given: (user) => ready(user, "box", { idle: { after: "1m", action: "Suspend" } }),
    async story(user) {
      await user.settled("box", "Idle");
      await user.machineIs("box", "suspended"); // who wakes it before that is written down is not heard
      for (const own of user.machines("box")) user.cloud.start(own, undefined);
      await user.settled("box");
      await user.create("Execution", "look", { instance: "box", command: WORK, timeoutMs: 60_000 });
      await user.finished("Execution", "look");
      await user.settled("box", "Idle");
    },
  },
  {
    name: "exec, then ttl with deletionPolicy Orphan",
    given: (user) => ready(user, "box", { ttl: "1m", deletionPolicy: "Orphan" }),
    async story(user) {
      await user.create("Execution", "look", { instance: "box", command: WORK, timeoutMs: 60_000 });
      await user.finished("Execution", "look");
      await user.gone("Instance", "box");
    },
  },
];
