// What to measure and how long: the defaults are what the targets are stated for, smaller runs only show that it works.
import { parseArgs } from "node:util";

export const SECTIONS = ["creates", "delay", "ready", "idle", "lists", "watch"] as const;
export type Section = (typeof SECTIONS)[number];

export interface Options {
  readonly only: readonly Section[];
  /** Rounds of creates, each of which measures both bounds too. */
  readonly rounds: number;
  /** Length of each measurement in a round. */
  readonly seconds: number;
  /** Creates whose delay is measured, spread over so many servers. */
  readonly samples: number;
  readonly servers: number;
  /** Instances that are to become Ready. */
  readonly instances: number;
  readonly idleInstances: number;
  readonly idleSeconds: number;
  /** Instances of which the first page is listed. */
  readonly listed: number;
  readonly watchers: number;
  /** Writes that each watcher is to see. */
  readonly updates: number;
}

export const USAGE = `npm run bench -- [options]        JSON on standard output, progress on standard error
  --only creates,delay,ready,idle,lists,watch   what to measure (all)
  --rounds N --seconds N            creates: rounds, and seconds of each measurement in one (3, 4)
  --samples N --servers N           delay: creates, spread over servers (208, 4)
  --instances N                     ready (100)
  --idle-instances N --idle-seconds N   idle (30, 60)
  --listed N                        lists: instances (10000)
  --watchers N --updates N          watch (100, 1000)`;

/** Throws with one line that names the option. */
export function readOptions(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: text,
      rounds: text,
      seconds: text,
      samples: text,
      servers: text,
      instances: text,
      "idle-instances": text,
      "idle-seconds": text,
      listed: text,
      watchers: text,
      updates: text,
    },
  });
  return {
    only: values.only === undefined ? SECTIONS : values.only.split(",").map(section),
    rounds: count("rounds", values.rounds, 3),
    seconds: count("seconds", values.seconds, 4),
    samples: count("samples", values.samples, 208),
    servers: count("servers", values.servers, 4),
    instances: count("instances", values.instances, 100),
    idleInstances: count("idle-instances", values["idle-instances"], 30),
    idleSeconds: count("idle-seconds", values["idle-seconds"], 60),
    listed: count("listed", values.listed, 10_000),
    watchers: count("watchers", values.watchers, 100),
    updates: count("updates", values.updates, 1000),
  };
}

function section(name: string): Section {
  const found = SECTIONS.find((each) => each === name);
  if (!found) throw new Error(`--only ${name}: must be of ${SECTIONS.join(", ")}`);
  return found;
}

function count(name: string, value: string | undefined, unless: number): number {
  if (value === undefined) return unless;
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new Error(`--${name} ${value}: must be a whole number above 0`);
}
