// New machines that get no further: their first boot hangs for good, as Fly's hosts have made it, or fails. What has befallen
// a machine stays with it: no healing of the world helps it, only making another one.
import { BootError, type Guests } from "../../controller/emulator/guest.ts";

export type BootTrouble = "hangs" | "fails";

export interface TroubledBoots {
  readonly guests: Guests;
  /** What happens to the next machine that boots for the first time; undefined takes it back. */
  next: BootTrouble | undefined;
}

export function troubledBoots(guests: Guests): TroubledBoots {
  const booted = new Set<string>();
  const boots: TroubledBoots = {
    next: undefined,
    guests: {
      ...guests,
      async boot(spec, signal) {
        const trouble = booted.has(spec.id) ? undefined : boots.next;
        if (trouble) boots.next = undefined;
        if (trouble === "fails") throw new BootError("the host could not start the machine");
        if (trouble === "hangs") await until(signal);
        booted.add(spec.id);
        return guests.boot(spec, signal);
      },
    },
  };
  return boots;
}

/** Rejects when the signal aborts: somebody wants something else of the machine. */
function until(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
