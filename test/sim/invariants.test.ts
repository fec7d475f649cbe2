// Each invariant is shown a world that breaks it, and one that does not.
import { expect, test } from "vitest";
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import { createInvariants, DOUBLE_MAX_MS, type HistoryRow, type Invariants, SECRET, unsettled } from "./invariants.ts";
import { BUSY_MIN_MS, OVERDUE_MAX_MS } from "./promises.ts";

const UID = "0b7c1f1e-8c1d-4c53-9a0e-6f2f0a8c1d11";

/** A write of one object, as the history keeps it. */
function row(revision: number, kind: string, changes: object = {}, metadata: object = {}): HistoryRow {
  const object = {
    kind,
    metadata: { name: "x", uid: UID, generation: 1, resourceVersion: String(revision), ...metadata },
    spec: {},
    ...changes,
  };
  return { revision, type: "MODIFIED", kind, name: "x", body: JSON.stringify(object) };
}

function machine(id: string, phase: string, metadata: object = { "flywheel-uid": UID }): MachineRecord {
  const past = [{ phase: "started", at: 0 }];
  // the members that are looked at
  return { id, phase, past, since: 60_000, config: { metadata } } as unknown as MachineRecord;
}

/** A run that a trigger has made. */
function triggered(revision: number, type: HistoryRow["type"]): HistoryRow {
  const ownerReferences = [{ kind: "Workflow", name: "w", uid: "w-uid" }];
  const labels = { "fly.lightfast.ai/workflow": "w" };
  return {
    ...row(revision, "WorkflowRun", {}, { name: "w-1-abcd", uid: `r${revision}`, ownerReferences, labels }),
    type,
  };
}

const attempt = (step: string) => ({ key: { run: UID, step, attempt: 1 }, machineId: "m1" });
const steps = (...states: readonly string[]) =>
  states.map((state, index) => ({ name: `s${index}`, state, attempts: 1 }));
const definition = { spec: { steps: [{ name: "s0" }, { name: "s1", dependsOn: ["s0"] }] } };
const running = row(1, "WorkflowRun", { status: { definition, steps: steps("Running", "Running") } });

const condition = (type: string, status: string) => ({ type, status, observedGeneration: 1, reason: "", message: "" });
const claims = row(1, "Instance", {
  spec: { env: { MODE: "b" } },
  status: { machine: { id: "m1" }, conditions: [condition("Ready", "True"), condition("Synced", "True")] },
});
const create = { action: "POST create", wanted: "fw-1 in iad" };
const refusal = (status: number, headers: Readonly<Record<string, string>> = {}) => ({
  status,
  headers,
  body: '{"error":"insufficient_capacity"}',
});

interface Case {
  readonly violates: string;
  readonly by: (world: Invariants, pass: (ms: number) => void) => void;
}

const CASES: readonly Case[] = [
  {
    violates: "S10 revision 3 follows 1",
    by: ({ committed }) => [row(1, "Instance"), row(3, "Instance")].forEach(committed),
  },
  {
    violates: "S9 Instance x observed the future",
    by: ({ committed }) => committed(row(1, "Instance", { status: { observedGeneration: 2 } })),
  },
  {
    violates: "S9 Instance x: generation moved by 0 while the spec changed",
    by: ({ committed }) => [row(1, "Instance"), row(2, "Instance", { spec: { size: "big" } })].forEach(committed),
  },
  {
    violates: "S4 WorkflowRun x: step s0 was Succeeded and is Running",
    by: ({ committed }) =>
      [
        row(1, "WorkflowRun", { status: { steps: steps("Succeeded") } }),
        row(2, "WorkflowRun", { status: { steps: steps("Running") } }),
      ].forEach(committed),
  },
  {
    violates: "S12 a secret is in Event x",
    by: ({ committed }) => committed(row(1, "Event", { message: `failed with ${SECRET}-1` })),
  },
  {
    violates: "S12 a secret is in Instance x",
    by: ({ committed }) => committed(row(1, "Instance", { spec: { env: { A: `${SECRET}-host-key of x` } } })),
  },
  { violates: "S12 a secret is in the log", by: ({ logged }) => logged(`made ${SECRET}-host-key`) },
  {
    violates: "S1 two machines",
    by: ({ machineChanged, tick }, pass) => {
      [machine("m1", "started"), machine("m2", "created")].forEach(machineChanged);
      pass(DOUBLE_MAX_MS + 1);
      tick();
    },
  },
  {
    violates: "S7 machine m1",
    by: ({ committed, destroyed }) => {
      committed(row(1, "Instance", { status: { machine: { id: "m1" } } }));
      destroyed(machine("m1", "destroying"));
    },
  },
  {
    violates: "began a second time",
    by: ({ committed, began }) => {
      committed(running);
      [attempt("s0"), attempt("s0")].forEach(began);
    },
  },
  {
    violates: "S4 attempt 0b7c1f1e-8c1d-4c53-9a0e-6f2f0a8c1d11/s0/1 began while a former one still runs on m0",
    by: ({ committed, machineChanged, began }) => {
      committed(running);
      machineChanged(machine("m0", "started"));
      began({ ...attempt("s0"), beside: ["m0"] });
    },
  },
  {
    violates: `S4 ${UID}/s0 is over since 0 ms, and attempt 1 runs on m1`,
    by: ({ committed, tick }, pass) => {
      committed(row(1, "WorkflowRun", { status: { steps: steps("Cancelled") } }));
      pass(10_000);
      tick();
    },
  },
  {
    violates: "S4 WorkflowRun x is cancelled and decides on attempt 2 of s0",
    by: ({ committed }) => {
      const cancelled = { spec: { cancel: true }, status: { steps: steps("Pending") } };
      committed(row(1, "WorkflowRun", cancelled));
      const step = { name: "s0", state: "Running", attempts: 2 };
      committed(row(2, "WorkflowRun", { ...cancelled, status: { steps: [step] } }));
    },
  },
  {
    violates: "S9 instance x says that its machine is as generation 1 has it",
    by: ({ committed, machineChanged, reached }, pass) => {
      machineChanged(machine("m1", "started"));
      reached("m1");
      pass(120_000);
      committed(claims);
    },
  },
  {
    violates: "L4 instance x is called idle, and WorkflowRun r uses it",
    by: ({ committed }) => {
      const startedAt = "2026-01-01T00:00:00.000Z";
      const conditions = [condition("Succeeded", "Unknown")];
      const uses = { definition: { spec: { instances: { box: { ref: "x" } } } }, startedAt, conditions };
      committed(row(1, "WorkflowRun", { status: uses }, { name: "r", uid: "another" }));
      committed(row(2, "Instance", { status: { idle: { actedAt: "2026-01-01T00:01:00Z" } } }));
    },
  },
  {
    violates: "acknowledged: x was decided on at revision 1 and replaced revision 2",
    by: ({ committed, acknowledged }) => {
      [1, 2, 3].forEach((revision) => void committed(row(revision, "Instance")));
      acknowledged(row(3, "Instance").body, "2");
      acknowledged(row(3, "Instance").body, "1");
    },
  },
  { violates: "ready: instance x is called Ready", by: ({ committed }) => committed(claims) },
  {
    violates: "E1",
    by: ({ committed }) => committed(row(1, "Event", { reason: "CreateRefused", message: "insufficient resources" })),
  },
  {
    violates: "S13 GET list although Fly had asked for a pause of 1500 ms more",
    by: ({ called }, pass) => {
      called({ action: "GET list" })(refusal(429, { "retry-after": "2" }));
      pass(500);
      called({ action: "GET list" });
    },
  },
  {
    violates: "S13 fw-1 in iad was asked for again 5000 ms after there was no room for it",
    by: ({ called }, pass) => {
      called(create)(refusal(422));
      pass(5000);
      called(create);
    },
  },
  { violates: "for a run that does not exist", by: ({ began }) => began(attempt("s0")) },
  {
    violates: "S5",
    by: ({ committed, began }) => {
      committed(running);
      began(attempt("s1"));
    },
  },
  {
    violates: "trigger: run w-1-abcd was made a second time",
    by: ({ committed }) => [triggered(1, "ADDED"), triggered(2, "DELETED"), triggered(3, "ADDED")].forEach(committed),
  },
  {
    violates: "acknowledged: x at revision 7 is not in the history",
    by: ({ acknowledged }) => acknowledged(row(7, "Instance").body),
  },
  {
    violates: "acknowledged: x at revision 1 is not in the history",
    by: ({ committed, acknowledged }) => {
      committed(row(1, "Instance"));
      acknowledged(row(1, "Instance", {}, { uid: "another" }).body);
    },
  },
  {
    violates: "orphan: DELETE destroy m1",
    by: ({ machineChanged, answered }) => {
      [machine("m1", "started"), machine("m1", "started", {})].forEach(machineChanged);
      answered("DELETE destroy m1", 200);
    },
  },
  {
    violates: "L4 machine m1 of x was put to rest under",
    by: ({ committed, machineChanged, began, answered }, pass) => {
      const run = { status: { definition, steps: steps("Running") } };
      committed(row(1, "WorkflowRun", run, { uid: "run" }));
      committed(row(2, "Instance", { spec: { operatingMode: "Running" }, status: { observedGeneration: 1 } }));
      machineChanged(machine("m1", "started"));
      began({ key: { run: "run", step: "s0", attempt: 1 }, machineId: "m1" });
      pass(BUSY_MIN_MS + 1);
      answered("POST suspend m1", 200);
    },
  },
  {
    violates: "key: machine m1 was sent something",
    by: ({ machineChanged, mistrusted, sent }) => {
      machineChanged(machine("m1", "started"));
      mistrusted("m1");
      sent("m1");
    },
  },
  {
    violates: "ttl: instance x should be gone",
    by: ({ committed, healed, tick }, pass) => {
      committed(row(1, "Instance", { spec: { ttl: "1m" } }, { creationTimestamp: new Date(0).toISOString() }));
      healed();
      pass(OVERDUE_MAX_MS + 120_000);
      tick();
    },
  },
  {
    violates: "L4 instance x should be at rest",
    by: ({ committed, healed, tick }, pass) => {
      const spec = { idle: { after: "1m", action: "Stop" }, operatingMode: "Running" };
      const metadata = { creationTimestamp: new Date(0).toISOString() };
      const status = { machine: { state: "started" }, idle: { actsAt: new Date(60_000).toISOString() } };
      committed(row(1, "Instance", { spec, status }, metadata));
      healed();
      pass(OVERDUE_MAX_MS + 120_000);
      tick();
    },
  },
  {
    violates: "S13",
    by: ({ started, answered }, pass) => {
      started();
      pass(60_000);
      answered("GET list", 429);
    },
  },
];

function world() {
  const violations: string[] = [];
  let nowMs = 0;
  const invariants = createInvariants({
    nowMs: () => nowMs,
    running: () => [attempt("s0")],
    violated: (what) => violations.push(what),
  });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { violations, invariants, pass };
}

test.each(CASES)("$violates", ({ violates, by }) => {
  const { violations, invariants, pass } = world();
  by(invariants, pass);
  expect(violations).toHaveLength(1);
  expect(violations[0]).toContain(violates);
});

test("what is right violates nothing", () => {
  const { violations, invariants, pass } = world();
  invariants.committed(running);
  invariants.began(attempt("s0"));
  invariants.exited(attempt("s0"), 0);
  invariants.began(attempt("s1"));
  invariants.machineChanged(machine("m1", "started"));
  invariants.machineChanged(machine("m1", "destroyed"));
  invariants.machineChanged(machine("m2", "started"));
  invariants.called(create)(refusal(422));
  pass(15_000);
  invariants.called(create)(refusal(429, { "retry-after": "2" }));
  invariants.started();
  invariants.called(create);
  pass(DOUBLE_MAX_MS + 1);
  invariants.tick();
  expect(violations).toEqual([]);
});

test("a trigger without a run is owed one", () => {
  const { violations, invariants } = world();
  const spec = { triggers: [{ type: "Apply" }] };
  invariants.committed(row(1, "Workflow", { spec }, { name: "w", uid: "w-uid" }));
  expect(invariants.owed()).toEqual(["trigger: workflow w has no run of generation 1"]);
  invariants.committed(triggered(2, "ADDED"));
  expect(invariants.owed()).toEqual([]);
  expect(violations).toEqual([]);
});

test("a process that has just started knows of a wrong key what status says", () => {
  const conditions = [{ type: "Reachable", status: "False", reason: "HostKeyMismatch" }];
  const { violations, invariants } = world();
  invariants.committed(row(1, "Instance", { status: { machine: { id: "m1" }, conditions } }));
  for (const id of ["m1", "m2"]) invariants.mistrusted(id);
  invariants.started();
  invariants.sent("m2"); // found by a process that died before it had said so
  expect(violations).toEqual([]);
  invariants.sent("m1");
  expect(violations).toEqual(["key: machine m1 was sent something under another host key"]);
});

test("a machine that showed another key is spoken to again once somebody has acknowledged it", () => {
  const { violations, invariants } = world();
  invariants.mistrusted("m1");
  const annotations = { "fly.lightfast.ai/acknowledge-host-key": "v1" };
  invariants.committed(row(1, "Instance", { status: { machine: { id: "m1", instanceId: "v1" } } }, { annotations }));
  invariants.sent("m1");
  expect(violations).toEqual([]);
});

test("a machine that was let go may be spoken of again, and one of ours may be stopped", () => {
  const { violations, invariants } = world();
  [machine("m1", "started"), machine("m1", "started", {}), machine("m2", "started")].forEach(invariants.machineChanged);
  invariants.answered("PATCH metadata m1", 200);
  invariants.answered("POST stop m2", 200);
  expect(violations).toEqual([]);
});

test("a machine without its instance, and an instance without its machine, are not at rest", () => {
  const instance = JSON.parse(row(1, "Instance", { spec: { operatingMode: "Running" } }).body);
  expect(unsettled([], [machine("m1", "started")])).toEqual([expect.stringContaining("S2 machine m1")]);
  expect(unsettled([instance], [])).toEqual([expect.stringContaining("S1 instance x has 0 machines")]);
});

test("an instance that a run should have taken with it is not at rest", () => {
  const over = { definition: { spec: { cleanup: "Always" } }, conditions: [condition("Succeeded", "False")] };
  const run = JSON.parse(row(1, "WorkflowRun", { status: over }, { uid: "r" }).body);
  const left = { ...JSON.parse(claims.body), metadata: { name: "x-box", uid: UID, ownerReferences: [{ uid: "r" }] } };
  expect(unsettled([run, left], [])).toContain("S2 instance x-box was to go with run x, which is over");
});
