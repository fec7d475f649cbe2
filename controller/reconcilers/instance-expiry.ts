// ttl: the instance is deleted so long after its creation, whatever state it is in.
import { durationMs } from "../../crds/duration.ts";
import { type Instance, instanceKind } from "../../crds/instance.ts";
import { type InstanceWorld, keyOf } from "./instance-world.ts";

export function expiryMs({ spec, metadata }: Instance): number | undefined {
  return spec.ttl === undefined ? undefined : Date.parse(metadata.creationTimestamp) + durationMs(spec.ttl);
}

/** True when the time had come and the deletion is asked for. */
export async function expireWhenDue({ clock, events, admission }: InstanceWorld, instance: Instance): Promise<boolean> {
  const at = expiryMs(instance);
  if (at === undefined || clock.now() < at) return false;
  await events.record(instance, "Normal", "Expired", `ttl ${instance.spec.ttl} is over`);
  await admission.delete(instanceKind, keyOf(instance), { uid: instance.metadata.uid });
  return true;
}
