// Every timing of the emulated cloud. `fast` keeps the order and the races of the real one and shortens the waiting;
// `realistic` has durations that were measured at Fly.
import type { Delay } from "../machines/model.ts";

export interface Knobs {
  readonly delays: Readonly<Record<Delay, number>>;
  /** How long after `stopped` a start is refused with "machine still active". */
  readonly stillActiveMs: number;
  /** How long a new app answers 404. */
  readonly appLagMs: number;
  /** How long a new machine answers 404 by id. */
  readonly getLagMs: number;
  /** How far lists are behind: new machines are missing, states are old. */
  readonly listLagMs: number;
  /** SIGKILL this long after the stop signal when neither the call nor stop_config says otherwise. */
  readonly killTimeoutMs: number;
  /** SSH is refused for this long after `started`. */
  readonly sshDelayMs: number;
  /** An exec may not last longer, whatever it asks for. */
  readonly execMaxMs: number;
  readonly rateLimit: boolean;
  /** Images that no registry has. */
  readonly missingImages: RegExp;
}

export const FAST: Knobs = {
  delays: {
    create: 800,
    park: 1500,
    start: 400,
    resume: 150,
    stop: 50,
    suspend: 150,
    replace: 500,
    relaunch: 300,
    recover: 500,
    destroy: 400,
  },
  stillActiveMs: 500,
  appLagMs: 0,
  getLagMs: 0,
  listLagMs: 0,
  killTimeoutMs: 5000,
  sshDelayMs: 200,
  execMaxMs: 60_000,
  rateLimit: true,
  missingImages: /missing|nonexistent|does-not-exist|no-such-/,
};

export const REALISTIC: Knobs = {
  ...FAST,
  delays: {
    create: 6000,
    park: 6000,
    start: 1000,
    resume: 500,
    stop: 500,
    suspend: 1000,
    replace: 8000,
    relaunch: 6000,
    recover: 2000,
    destroy: 3000,
  },
  stillActiveMs: 3000,
  appLagMs: 1000,
  getLagMs: 500,
  listLagMs: 1000,
  sshDelayMs: 1500,
};

export type KnobChanges = Partial<Omit<Knobs, "delays">> & { readonly delays?: Partial<Knobs["delays"]> };

export function knobsOf(changes: KnobChanges = {}, profile: Knobs = FAST): Knobs {
  return { ...profile, ...changes, delays: { ...profile.delays, ...changes.delays } };
}
