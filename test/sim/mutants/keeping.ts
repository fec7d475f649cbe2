// Bugs in keeping and ending machines: deletion, replacement, idleness, whose machine it is, what Fly can stand.
import type { Mutant } from "./mutant.ts";

export const KEEPING: readonly Mutant[] = [
  {
    name: "finalizer-dropped-early",
    bug: "an instance is gone as soon as the destroy of its machine has been tried",
    peer: "crossplane#749",
    breaks: ["S2"],
    edits: [
      {
        file: "controller/runtime/managed.ts",
        find: `return deleting
          ? external.delete(object, observation.seen, signal)
          : external.update(object, observation.seen, signal);`,
        replace: `if (!deleting) return external.update(object, observation.seen, signal);
        await external.delete(object, observation.seen, signal);
        await dropFinalizer(admission, kind, object, finalizer);
        return "removed";`,
      },
    ],
  },
  {
    name: "no-delete-while-starting",
    bug: "a machine can only be destroyed once it has started",
    peer: "daytona#2390",
    breaks: ["L2"],
    edits: [
      {
        file: "controller/reconcilers/instance.ts",
        find: 'if (state !== "destroying") {',
        replace: 'if (!["destroying", "created", "starting"].includes(state)) {',
      },
    ],
  },
  {
    name: "created-without-deadline",
    bug: "a machine that Fly leaves in created is waited for, however long",
    peer: "community.fly.io/t/28143",
    breaks: ["L1"],
    edits: [
      {
        file: "controller/reconcilers/instance-plan.ts",
        find: "if (createdForMs > CREATED_DEADLINE_MS)",
        replace: "if (false)",
      },
    ],
  },
  {
    name: "failed-machine-kept",
    bug: "a machine that has failed is left as it is",
    peer: "daytona#5142",
    breaks: ["L1"],
    edits: [
      {
        file: "controller/reconcilers/instance-plan.ts",
        find: "if (isFailed(machine)) return",
        replace: "if (false) return",
      },
    ],
  },
  {
    name: "no-room-is-a-refusal",
    bug: "no room, told with status 400, counts as a specification that is wrong",
    peer: "Kilo-Org/cloud#388",
    breaks: ["E1"],
    edits: [
      {
        file: "controller/machines/errors.ts",
        find: "when: ({ status, text }) => [400, 409, 412, 422, 503].includes(status) && NO_ROOM.test(text)",
        replace: "when: ({ status, text }) => [409, 412, 422, 503].includes(status) && NO_ROOM.test(text)",
      },
    ],
  },
  {
    name: "backoff-in-memory",
    bug: "a restart forgets that a create was refused and has to wait",
    peer: "agent-sandbox#729",
    breaks: ["S13"],
    edits: [
      {
        file: "controller/reconcilers/instance-create.ts",
        find: "const turns = semaphore(CREATES_IN_FLIGHT);",
        replace: "const turns = semaphore(CREATES_IN_FLIGHT), retries = new Map();",
      },
      {
        file: "controller/reconcilers/instance-create.ts",
        find: "const delay = next.retryAt === undefined ? 0 : leftOfPauseMs(Date.parse(next.retryAt), now, CREATE_BACKOFF_MAX_MS);",
        replace: "const delay = (retries.get(instance.metadata.uid) ?? 0) - now;",
      },
      {
        file: "controller/reconcilers/instance-create.ts",
        find: "const provisioning = { ...settled, failures, retryAt: timestamp(clock.now() + delay) };",
        replace: `const provisioning = { ...settled, failures };
    retries.set(instance.metadata.uid, clock.now() + delay);`,
      },
    ],
  },
  {
    name: "ready-by-state-alone",
    bug: "a machine that is started counts as ready, though nobody has reached it",
    peer: "actions-runner-controller#3821",
    breaks: ["ready"],
    edits: [
      {
        file: "controller/reconcilers/instance-status.ts",
        find: 'if (!reachability) return no("Connecting", "the machine has started and has not been reached yet");',
        replace: 'if (!reachability?.reachable) return { status: "True", reason: "Ready", message: "it is started" };',
      },
    ],
  },
  {
    name: "foreign-machine-swept",
    bug: "a machine of another controller, whose owner is not here, is collected as an orphan",
    peer: "argo-cd#23645",
    breaks: ["S7"],
    edits: [
      {
        file: "controller/reconcilers/fleet.ts",
        find: "(each) => metadataOf(each)[OWNER.controller] === controllerId,",
        replace: "(each) => metadataOf(each)[OWNER.controller] !== undefined,",
      },
    ],
  },
  {
    name: "idle-though-busy",
    bug: "a running step does not keep its machine from going idle",
    peer: "devpod#795",
    breaks: ["L4"],
    edits: [
      {
        file: "controller/reconcilers/activity.ts",
        find: "runs.filter((run) => !isFinished(run))",
        replace: "runs.filter(() => false)",
      },
    ],
  },
  {
    name: "idle-though-exec",
    bug: "a running exec does not keep its machine from going idle",
    peer: "coder#3191",
    breaks: ["L4"],
    edits: [
      {
        file: "controller/reconcilers/activity.ts",
        find: "executions.filter((each) => isRunning(each))",
        replace: "executions.filter(() => false)",
      },
    ],
  },
  {
    name: "status-rewritten",
    bug: "every look writes status, whether or not anything has changed",
    peer: "anvil#322",
    breaks: ["L1"],
    edits: [
      {
        file: "controller/runtime/conditions.ts",
        find: "before?.status === next.status ? before.lastTransitionTime : timestamp(nowMs)",
        replace: "timestamp(nowMs)",
      },
    ],
  },
  {
    name: "no-rate-budget",
    bug: "calls go out as fast as they come",
    peer: "provider-aws#847",
    breaks: ["S13"],
    edits: [
      {
        file: "controller/machines/budget.ts",
        find: "if (bucket.waiters.size > 0 || delayMs(bucket) > 0) await turn(bucket, signal);\n    else use(bucket);",
        replace: "use(bucket);",
      },
    ],
  },
  {
    name: "429-ignored",
    bug: "Retry-After is not waited for",
    peer: "crossplane#6861",
    breaks: ["S13"],
    edits: [
      {
        file: "controller/machines/call.ts",
        find: 'if (error.class === "throttled") budget.throttled(request.action, request.limitedBy, error.retryAfterMs);',
        replace: "",
      },
    ],
  },
];
