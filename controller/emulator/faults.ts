// What can go wrong at Fly, each switched on by a test: on the object itself, or through POST /_emulator/faults.
import { z } from "zod";
import type { Random } from "../kernel/random.ts";

const replyFault = z.strictObject({
  /** 408 and 503 are JSON, 504 is the gateway's plain text, drop closes the connection without an answer. */
  reply: z.enum(["408", "503", "504", "drop"]),
  /** Actions such as `create` or `stop`; all when absent. */
  actions: z.array(z.string()).optional(),
  /** How many calls it spoils before it ends by itself. */
  times: z.int().min(1).optional(),
  /** Share of the calls; all when absent. */
  ratio: z.number().min(0).max(1).optional(),
});

export const faultsSchema = z.strictObject({
  /** Nothing happens, and this is the answer. */
  gateway: replyFault.optional(),
  /** The effect happens, and this is the answer. */
  ambiguous: replyFault.optional(),
  /** 429 to these actions whatever the budget. */
  throttled: z.strictObject({ actions: z.array(z.string()), times: z.int().min(1).optional() }).optional(),
  /** Lists are empty although machines exist. */
  emptyList: z.boolean().optional(),
  /** Pages hold half of what was asked for. */
  shortPages: z.boolean().optional(),
  /** Images are never pulled: new machines stay `created`. */
  stuckPulls: z.boolean().optional(),
  /** A missing image is accepted at create and fails at launch. */
  lateImageErrors: z.boolean().optional(),
  fullRegions: z.array(z.string()).optional(),
  /** 503 instead of 422 for a region without room. */
  capacityAs503: z.boolean().optional(),
  /** Hosts have no room for a start or an update. */
  fullHosts: z.boolean().optional(),
  /** Ids of machines whose host cannot be reached, or `*`. */
  unreachable: z.array(z.string()).optional(),
  /** 429 carries Retry-After in seconds. */
  retryAfterSeconds: z.int().min(0).optional(),
  /** DELETE of a running machine is refused with 409 instead of 412. */
  destroyRefusedAs409: z.boolean().optional(),
  /** Leases are answered without their wrapper. */
  flatLeases: z.boolean().optional(),
  /** Memory is lost: a resume boots afresh. */
  coldResume: z.boolean().optional(),
  /** exec passes its stdin on; Fly was seen not to. */
  execStdin: z.boolean().optional(),
});

export type Faults = z.output<typeof faultsSchema>;
export type FaultReply = z.output<typeof replyFault>["reply"];

/** The answer that spoils this call, if one does; counts down what is limited. */
export function spoiled(
  faults: Faults,
  kind: "gateway" | "ambiguous",
  action: string,
  random: Random,
): FaultReply | undefined {
  const fault = faults[kind];
  if (!fault || (fault.actions && !fault.actions.includes(action))) return undefined;
  if (fault.ratio !== undefined && random.next() >= fault.ratio) return undefined;
  if (fault.times !== undefined) {
    if (fault.times <= 1) delete faults[kind];
    else faults[kind] = { ...fault, times: fault.times - 1 };
  }
  return fault.reply;
}

export function isThrottled(faults: Faults, action: string): boolean {
  const fault = faults.throttled;
  if (!fault?.actions.includes(action)) return false;
  if (fault.times !== undefined) {
    if (fault.times <= 1) delete faults.throttled;
    else faults.throttled = { ...fault, times: fault.times - 1 };
  }
  return true;
}

export function isUnreachable(faults: Faults, machineId: string): boolean {
  return faults.unreachable?.some((each) => each === "*" || each === machineId) ?? false;
}

/** Switches faults on (a value) or off (null); what is not named stays. */
export function changeFaults(faults: Faults, changes: Readonly<Record<string, unknown>>): void {
  const merged = Object.fromEntries(Object.entries({ ...faults, ...changes }).filter(([, value]) => value !== null));
  const parsed = faultsSchema.parse(merged);
  clearFaults(faults);
  Object.assign(faults, parsed);
}

export function clearFaults(faults: Faults): void {
  for (const key of Object.keys(faultsSchema.shape)) delete faults[key as keyof Faults]; // the keys are the schema's own
}
