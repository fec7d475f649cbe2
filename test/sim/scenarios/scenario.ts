// What a scenario is: something that somebody plausibly does, in as few effects as show it.
import type { KnobChanges } from "../../../controller/emulator/knobs.ts";
import type { CallRatios } from "../faults.ts";
import type { User } from "../user.ts";

export interface Scenario {
  readonly name: string;
  /** What is there before the process dies for the first time. */
  given?(user: User): Promise<void>;
  /** What is disturbed. It waits for what it needs, so that it ends alike however long that takes. */
  story(user: User): Promise<void>;
  /** Facts that an outage may rightly change. */
  readonly varies?: RegExp;
  /** What befalls calls to Fly during the story. */
  readonly calls?: Partial<CallRatios>;
  /** How far Fly's answers are behind. */
  readonly knobs?: KnobChanges;
  readonly observeIntervalMs?: number;
}

/** A job that ends well, longer than one outage and shorter than any timeout. */
export const WORK = "sim 6000 0";
export const FAILS = "sim 2500 3";
export const ENDLESS = "sim 3600000 0";

export async function ready(user: User, name: string, spec: object = {}): Promise<void> {
  await user.create("Instance", name, { region: "iad", ...spec });
  await user.settled(name);
}
