// Bugs in making and losing machines: what a lost reply, an old list or a 404 is taken for.
import type { Mutant } from "./mutant.ts";

const CREATE = "controller/reconcilers/instance-create.ts";
const OBSERVE = "controller/reconcilers/instance-observe.ts";
const MEMORY = "controller/reconcilers/machine-memory.ts";
const FLEET = "controller/reconcilers/fleet.ts";

export const MAKING: readonly Mutant[] = [
  {
    name: "no-intent",
    bug: "a create is sent before anything durable says so",
    peer: "crossplane#3037",
    breaks: ["S1", "S2"],
    edits: [
      {
        file: CREATE,
        find: "const intended = await commit(creating(instance, intent, clock.now()));",
        replace: "const intended = { ...instance, status: creating(instance, intent, clock.now()) };",
      },
    ],
  },
  {
    name: "empty-list-trusted",
    bug: "what a list does not show is gone",
    peer: "fly.io/infra-log/machines-api-duplicates",
    breaks: ["S1", "S7"],
    edits: [
      {
        file: MEMORY,
        find: "if (reads + 1 < ABSENT_READS || nowMs - sinceMs < CREATE_SETTLE_MS || !believable) return false;",
        replace: "",
      },
      {
        file: FLEET,
        find: `await refresh(id, signal).catch(
          (error: unknown): Sighting => ({ presence: "doubtful", message: messageOf(error) }),
        );`,
        replace: "missing(id);",
      },
    ],
  },
  {
    name: "one-404-believed",
    bug: "a machine is gone when one get answers 404",
    peer: "sieve-project/sieve: stale state",
    breaks: ["S1", "S2"],
    edits: [
      {
        file: MEMORY,
        find: "if (reads + 1 < ABSENT_READS || nowMs - sinceMs < CREATE_SETTLE_MS || !believable) return false;",
        replace: "",
      },
    ],
  },
  {
    name: "list-with-gaps-resolves",
    bug: "a list that lacks known machines still proves that a create had no effect",
    peer: "fly.io/infra-log/machines-api-duplicates",
    breaks: ["S1", "S2"],
    edits: [
      {
        file: OBSERVE,
        find: 'if (await fleet.lacks(all, signal)) return doubt("the list of machines is not whole", DOUBT_RETRY_MS);',
        replace: "",
      },
    ],
  },
];
