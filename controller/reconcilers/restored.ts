// What a database that was put back from a backup must not take for granted: between the two its former self went on, and
// what it did is not written anywhere but on the machines.
import type { Restoration } from "../store/store.ts";
import type { AttemptView } from "./step-plan.ts";

/** No machine was ever in it, so that none begins what is committed to it; what one has begun before is found all the same. */
const NO_BOOT = "none-since-the-restoration";

/**
 * The boot that an attempt is committed to when its object is from before a backup; otherwise undefined, and the machine
 * is asked. The former self may have sent the attempt at any time since, and only a machine that has been in the same
 * boot all the while still knows. `known`: a boot that the object names on that machine.
 */
export function bootThatKnows(
  { creationTimestamp }: { readonly creationTimestamp: string },
  known: string | undefined,
  restorations: readonly Restoration[],
): string | undefined {
  const createdMs = Date.parse(creationTimestamp);
  return restorations.some(({ takenAtMs }) => createdMs <= takenAtMs) ? (known ?? NO_BOOT) : undefined;
}

/** In words that say why, where a machine only knows that it has not been in that boot. */
export function explained(view: AttemptView, bootId: string | undefined): AttemptView {
  if (view.state !== "Lost" || bootId !== NO_BOOT) return view;
  const message = "the database was restored from a backup, and nothing tells whether this ran meanwhile";
  return { state: "Lost", message };
}

/** Whether the former self may have made this machine, so that its instance is lost rather than deleted. */
export function mayBelongToLost(createdAt: string | undefined, restorations: readonly Restoration[]): boolean {
  const last = restorations.at(-1);
  return last !== undefined && (createdAt === undefined || Date.parse(createdAt) <= last.restoredAtMs);
}
