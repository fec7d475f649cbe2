// What the instance reconciler acts with; composed in one place, taken as an argument everywhere.
import type { Instance } from "../../crds/instance.ts";
import type { Admission } from "../admission/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { Machines } from "../machines/machines.ts";
import type { Events } from "../runtime/events.ts";
import type { Store } from "../store/store.ts";
import type { Reach } from "../transports/transport.ts";
import type { Fleet } from "./fleet.ts";
import type { MachineKeys } from "./instance-config.ts";

export interface InstanceWorld {
  readonly store: Store;
  readonly admission: Admission;
  readonly machines: Machines;
  readonly fleet: Fleet;
  readonly reach: Reach;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  readonly app: string;
  /** Derived, the same every time. */
  keysOf(uid: string): MachineKeys;
}

export function keyOf({ metadata }: Instance): { namespace: string | undefined; name: string } {
  return { namespace: metadata.namespace, name: metadata.name };
}
