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
    breaks: ["S1", "S2", "S13"],
    edits: [
      {
        file: CREATE,
        find: "intended = await commit(creating(instance, intent, clock.now()));",
        replace: "intended = { ...instance, status: creating(instance, intent, clock.now()) };",
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
    name: "unresolved-create-absent-at-once",
    bug: "a create of unknown outcome had no effect when the next list does not show it",
    peer: "crossplane-runtime#279",
    breaks: ["S1", "S2", "S13"],
    edits: [{ file: OBSERVE, find: "const left = CREATE_SETTLE_MS - (now - sinceMs);", replace: "const left = 0;" }],
  },
  {
    name: "name-of-each-attempt",
    bug: "every try of a create asks for another name, so that a late one cannot be told from a new one",
    peer: "crossplane-runtime#340",
    breaks: ["S1"],
    edits: [
      {
        file: CREATE,
        find: "const { retryAt: _done, createdAt: _former, ...rest } = next;",
        replace: `const machineName = next.machineName.replace(/(x\\d+)?-(\\d+)$/, \`x\${clock.now()}-$2\`);
    const { retryAt: _done, createdAt: _former, ...rest } = { ...next, machineName };`,
      },
    ],
  },
  {
    name: "another-after-409",
    bug: "a name that is taken is answered with another machine, not with the one that has it",
    peer: "agent-sandbox#1277",
    breaks: ["S1"],
    edits: [
      {
        file: CREATE,
        find: "return adoptNamed(instance, intent, error.machineId, signal);",
        replace: `{
      const incarnation = intent.incarnation + 1;
      const provisioning = { ...intent, incarnation, machineName: machineName(instance.metadata.uid, incarnation) };
      delete provisioning.requestedAt;
      return waiting(instance, "Retrying", error.said, 0, { provisioning });
    }`,
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
  {
    name: "post-sent-again",
    bug: "a call that changes something is sent again when it got no answer, as a get is",
    peer: "none: the rule itself",
    breaks: ["S1", "S2"],
    edits: [
      {
        file: "controller/machines/call.ts",
        find: '(request.method === "GET" ? FLY_GET_ATTEMPTS : 1)',
        replace: "FLY_GET_ATTEMPTS",
      },
    ],
  },
  {
    name: "ambiguous-create-forgotten",
    bug: "a create whose reply was lost counts as failed, and its machine is forgotten",
    peer: "E2B#1498",
    breaks: ["S1", "S2"],
    edits: [
      {
        file: CREATE,
        find: 'if (error.ambiguous || error.class === "exists") {',
        replace: 'if (error.class === "exists") {',
      },
    ],
  },
];
