// A machine is made, and unmade: the room is elsewhere, the reply is lost, nobody wants it any more before it is there.
import { ready, type Scenario } from "./scenario.ts";

/** New machines are shown late, so that a new process does not find them at once. */
const BEHIND = { listLagMs: 4000, getLagMs: 3000 };

export const MACHINE_SCENARIOS: readonly Scenario[] = [
  {
    name: "create to Ready",
    story: (user) => ready(user, "box"),
  },
  {
    name: "create while lists are behind",
    knobs: BEHIND,
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
    name: "create whose reply is lost",
    given: async ({ cloud }) => {
      cloud.faults.ambiguous = { reply: "drop", actions: ["create"], times: 1 };
    },
    story: (user) => ready(user, "box"),
  },
  {
    name: "create that never arrives",
    given: async ({ cloud }) => {
      cloud.faults.gateway = { reply: "drop", actions: ["create"], times: 1 };
    },
    story: (user) => ready(user, "box"),
  },
  {
    name: "delete",
    given: (user) => ready(user, "box"),
    async story(user) {
      await user.remove("Instance", "box");
      await user.gone("Instance", "box");
    },
  },
  {
    name: "delete while it is being made",
    varies: /^machine .* life$/, // it may have started while nobody was there
    async story(user) {
      await user.create("Instance", "box", { region: "iad" });
      await user.until(() => user.machines("box").length > 0);
      await user.remove("Instance", "box");
      await user.gone("Instance", "box");
    },
  },
  {
    name: "delete while its create is in doubt",
    knobs: BEHIND,
    varies: /^machine .* life$/,
    given: async ({ cloud }) => {
      cloud.faults.ambiguous = { reply: "drop", actions: ["create"], times: 1 };
    },
    async story(user) {
      await user.create("Instance", "box", { region: "iad" });
      await user.until(() => user.machines("box").length > 0);
      await user.remove("Instance", "box");
      await user.gone("Instance", "box");
    },
  },
  {
    name: "delete while Fly is slow to answer the create",
    knobs: BEHIND,
    calls: { slow: 1 },
    varies: /^machine .* life$/,
    async story(user) {
      await user.create("Instance", "box", { region: "iad" });
      await user.until(() => user.machines("box").length > 0);
      await user.remove("Instance", "box");
      await user.gone("Instance", "box");
    },
  },
  {
    name: "somebody destroys the machine",
    given: (user) => ready(user, "box"),
    async story(user) {
      const [lost] = user.machines("box");
      if (lost) user.cloud.destroy(lost, true, undefined);
      await user.until(() => user.machines("box").some(({ id, phase }) => id !== lost?.id && phase === "started"));
      await user.settled("box");
    },
  },
  {
    name: "somebody makes a second machine of the same owner",
    observeIntervalMs: 5000, // as long as two of them may live
    given: (user) => ready(user, "box"),
    async story(user) {
      const [own] = user.machines("box");
      if (own) user.cloud.createMachine(own.app, { name: "copy", region: "iad", config: own.config });
      await user.until(() => user.machines("box").length === 2);
      await user.until(() => user.machines("box").length === 1);
    },
  },
];
