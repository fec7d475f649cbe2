// What befalls machines, hosts, Fly, the network and the computer that we run on. Each has an end; the storm ends all.
import type { Cloud } from "../../controller/emulator/cloud.ts";
import { clearFaults } from "../../controller/emulator/faults.ts";
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import type { MemoryGuests } from "../../controller/emulator/memory-guests.ts";
import type { Random } from "../../controller/kernel/random.ts";
import type { TroubledBoots } from "./boot-troubles.ts";
import { pick } from "./faults.ts";
import { APP } from "./process.ts";
import type { Wires } from "./transport.ts";

export interface Struck {
  readonly cloud: Cloud;
  readonly guests: MemoryGuests;
  readonly wires: Wires;
  readonly boots: TroubledBoots;
  readonly random: Random;
  /** Moves the wall clock of our computer. */
  jump(ms: number): void;
  /** Calls back after a while, on virtual time. */
  later(ms: number, what: () => void): void;
}

interface Blow {
  readonly name: string;
  /** Answers what it hit; undefined when there was nothing to hit. */
  strike(on: Struck): string | undefined;
}

const WHILE_MS = 40_000;

const BLOWS: readonly Blow[] = [
  {
    name: "a machine's main process dies",
    strike: (on) => hit(on, ({ id }) => on.guests.exit(id, { code: 1, signal: 9 })),
  },
  { name: "somebody stops a machine", strike: (on) => hit(on, (record) => on.cloud.stop(record, {}, undefined)) },
  {
    name: "somebody destroys a machine",
    strike: (on) => hit(on, (record) => on.cloud.destroy(record, true, undefined)),
  },
  { name: "a machine moves to another host", strike: (on) => hit(on, (record) => on.cloud.migrate(record)) },
  {
    name: "a host cannot be reached",
    strike: (on) =>
      hit(on, ({ id }) => during(on, () => ({ unreachable: [...(on.cloud.faults.unreachable ?? []), id] }))),
  },
  { name: "images are not pulled", strike: (on) => during(on, () => ({ stuckPulls: true })) },
  {
    name: "the next new machine",
    strike: (on) => {
      on.boots.next = pick(on.random, ["hangs", "fails"] as const);
      return on.boots.next;
    },
  },
  { name: "hosts are full", strike: (on) => during(on, () => ({ fullHosts: true })) },
  { name: "a region is full", strike: (on) => during(on, () => ({ fullRegions: ["iad"] })) },
  { name: "memory is lost in suspends", strike: (on) => during(on, () => ({ coldResume: true })) },
  { name: "lists are empty", strike: (on) => during(on, () => ({ emptyList: true })) },
  { name: "pages are short", strike: (on) => during(on, () => ({ shortPages: true })) },
  {
    name: "connections drop",
    strike: (on) => {
      on.wires.drop();
      return "all";
    },
  },
  {
    name: "no SSH",
    strike: (on) => {
      on.wires.sshDown = true;
      on.later(on.random.next() * WHILE_MS, () => {
        on.wires.sshDown = false;
      });
      return "anywhere";
    },
  },
  {
    name: "another host key answers",
    strike: (on) =>
      hit(on, ({ id }) => {
        on.wires.impostors.add(id);
        on.wires.drop();
        on.later(on.random.next() * WHILE_MS, () => on.wires.impostors.delete(id));
      }),
  },
  {
    name: "Fly's proxy suspends a machine, and wakes it",
    strike: (on) =>
      hit(on, (record) => {
        on.cloud.suspend(record, undefined);
        on.later(on.random.next() * 10_000, () => attempt(() => on.cloud.start(record, undefined)));
      }),
  },
  {
    name: "the clock jumps",
    strike: (on) => {
      const ms = Math.round((on.random.next() * 2 - 1) * 400_000);
      on.jump(ms);
      return `by ${ms} ms`;
    },
  },
];

/** One blow, in words. */
export function strike(on: Struck): string | undefined {
  const blow = pick(on.random, BLOWS);
  const target = blow.strike(on);
  return target === undefined ? undefined : `${blow.name}: ${target}`;
}

/** Whatever was switched on is off; what happened has happened. */
export function heal({ cloud, wires, boots }: Pick<Struck, "cloud" | "wires" | "boots">): void {
  clearFaults(cloud.faults);
  boots.next = undefined;
  wires.sshDown = false;
  wires.impostors.clear();
}

function hit(on: Struck, blow: (record: MachineRecord) => void): string | undefined {
  const targets = on.cloud.machinesOf(APP).filter(({ phase }) => phase === "started");
  if (targets.length === 0) return undefined;
  const target = pick(on.random, targets);
  const refusal = attempt(() => blow(target));
  return refusal === undefined ? target.id : `${target.id}, in vain: ${refusal}`;
}

/** Why the cloud did not take it; undefined when it did. */
function attempt(command: () => void): string | undefined {
  try {
    command();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function during(on: Struck, faults: () => Cloud["faults"]): string {
  const change = faults();
  Object.assign(on.cloud.faults, change);
  on.later(on.random.next() * WHILE_MS, () => {
    for (const key of Object.keys(change)) delete on.cloud.faults[key as keyof Cloud["faults"]]; // the keys are its own
  });
  return "for a while";
}
