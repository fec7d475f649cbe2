import { describe, expect, test } from "vitest";
import type { Machine } from "../../../controller/machines/wire.ts";
import { type Drift, NO_DRIFT } from "../../../controller/reconcilers/instance-drift.ts";
import type { Mode } from "../../../controller/reconcilers/instance-idle.ts";
import { type Plan, planMachine } from "../../../controller/reconcilers/instance-plan.ts";
import type { InstanceStatus } from "../../../crds/instance.ts";
import { aMachine, anInstance, START } from "../../instance-fixture.ts";

const IMAGE: Drift = { ...NO_DRIFT, restart: ["image"] };
const announcedImage: InstanceStatus = {
  pending: { action: "Update", fields: ["image"], message: "updating image", announcedAt: START },
};

interface Case {
  readonly reason: string;
  readonly machine?: Partial<Machine>;
  readonly mode?: Mode;
  readonly drift?: Drift;
  readonly busy?: readonly string[];
  readonly status?: InstanceStatus;
  readonly createdForMs?: number;
  readonly tried?: { readonly refused?: string };
  readonly expected: Partial<Plan>;
}

const cases: readonly Case[] = [
  {
    reason: "an update that Fly refused is not made again at once",
    drift: IMAGE,
    tried: { refused: "spec.image: Fly refuses it" },
    expected: {
      do: "hold",
      refused: true,
      pending: { action: "Update", fields: ["image"], message: "spec.image: Fly refuses it" },
    },
  },
  {
    reason: "what cannot be updated can still be stopped",
    mode: "Stopped",
    drift: IMAGE,
    tried: {},
    expected: { do: "stop" },
  },
  { reason: "a started machine that should run is left alone", expected: { do: "settle" } },
  {
    reason: "an unreachable host is never judged, even with drift",
    machine: { host_status: "unreachable" },
    drift: IMAGE,
    expected: { do: "leave" },
  },
  {
    reason: "an unreachable host is never judged, even when failed",
    machine: { host_status: "unknown", state: "failed" },
    expected: { do: "leave" },
  },
  {
    reason: "a change under way at Fly is followed",
    machine: { state: "starting" },
    expected: { do: "follow", state: "started" },
  },
  {
    reason: "a machine being destroyed behind our back is followed to its end",
    machine: { state: "destroying" },
    expected: { do: "follow", state: "destroyed" },
  },
  {
    reason: "created is a state on the way",
    machine: { state: "created" },
    expected: { do: "follow", state: "started" },
  },
  {
    reason: "created for too long is stuck",
    machine: { state: "created" },
    createdForMs: 301_000,
    expected: { do: "replace" },
  },
  {
    reason: "a machine is not stuck only because Fly's clock is behind ours",
    machine: { state: "created", created_at: "2025-12-31T23:50:00Z" },
    expected: { do: "follow", state: "started" },
  },
  { reason: "a failed machine never starts again", machine: { state: "failed" }, expected: { do: "replace" } },
  { reason: "a stopped machine that should run is started", machine: { state: "stopped" }, expected: { do: "start" } },
  {
    reason: "a suspended machine that should run is resumed",
    machine: { state: "suspended" },
    expected: { do: "start" },
  },
  { reason: "Stopped is a wish", mode: "Stopped", expected: { do: "stop" } },
  {
    reason: "Stopped drops a suspended machine's memory",
    mode: "Stopped",
    machine: { state: "suspended" },
    expected: { do: "stop" },
  },
  { reason: "Suspended is a wish", mode: "Suspended", expected: { do: "suspend" } },
  {
    reason: "a stopped machine has no memory to keep: it satisfies Suspended",
    mode: "Suspended",
    machine: { state: "stopped" },
    expected: { do: "settle" },
  },
  { reason: "a restart is announced before it happens", drift: IMAGE, expected: { do: "announce" } },
  {
    reason: "announced and unused: done",
    drift: IMAGE,
    status: announcedImage,
    expected: { do: "update", fields: ["image"], skipLaunch: false },
  },
  {
    reason: "announced and used: waits",
    drift: IMAGE,
    status: announcedImage,
    busy: ["run a"],
    expected: { do: "hold" },
  },
  {
    reason: "another difference than the announced one is announced anew",
    drift: { ...NO_DRIFT, restart: ["env"] },
    status: announcedImage,
    expected: { do: "announce" },
  },
  {
    reason: "a stopped machine has nothing to announce",
    drift: IMAGE,
    machine: { state: "stopped" },
    mode: "Stopped",
    expected: { do: "update", skipLaunch: true },
  },
  {
    reason: "owner metadata is repaired without a restart, before all else",
    drift: { ...IMAGE, metadata: { a: "b" } },
    expected: { do: "label" },
  },
  {
    reason: "a word that Fly adds one day is waited out, not acted on",
    machine: { state: "hibernating" },
    expected: { do: "follow", state: "settled" },
  },
];

describe("planMachine", () => {
  test.each(cases)(
    "$reason",
    ({ machine, mode = "Running", drift = NO_DRIFT, busy = [], status, createdForMs = 0, tried, expected }) => {
      const instance = anInstance({}, status);
      const plan = planMachine({
        instance,
        machine: aMachine(instance, machine),
        mode,
        drift,
        busy,
        createdForMs,
        tried,
      });
      expect(plan).toMatchObject(expected);
    },
  );

  test("the announcement says what is erased, and persist Always that nothing is", () => {
    const plan = (spec: Record<string, unknown>) => {
      const instance = anInstance(spec);
      return planMachine({
        instance,
        machine: aMachine(instance),
        mode: "Running",
        drift: IMAGE,
        busy: [],
        createdForMs: 0,
      });
    };
    expect(plan({})).toMatchObject({
      pending: { message: "updating image restarts the machine and erases its root file system" },
    });
    expect(plan({ rootfs: { persist: "Always" } })).toMatchObject({
      pending: { message: "updating image restarts the machine; its root file system is kept" },
    });
  });
});
