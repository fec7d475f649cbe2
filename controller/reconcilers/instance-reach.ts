// Whether an instance's machine answers, and by which way. A connection belongs to one machine, address and version: when
// any of them changes, what was known of it is forgotten.
import type { Instance } from "../../crds/instance.ts";
import { findCondition } from "../../crds/resource.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Machine } from "../machines/wire.ts";
import { ACKNOWLEDGE_HOST_KEY, mistrustOf, type Reachability, type Target } from "../transports/transport.ts";
import { isHostUnknown } from "./instance-plan.ts";
import type { InstanceWorld } from "./instance-world.ts";

export interface Prober {
  probe(instance: Instance, machine: Machine, expected: Expected, signal: AbortSignal): Promise<Probe>;
  forget(uid: string): void;
}

export interface Expected {
  /** The machine should be up and nothing is about to change that; otherwise it is not asked. */
  readonly serves: boolean;
  /** Its host key is known not to be ours: SSH is not tried. */
  readonly strangeKeys: boolean;
}

export interface Probe {
  /** Undefined while the machine is not started. */
  readonly reachability?: Reachability | undefined;
  /** When to ask again. */
  readonly againMs?: number | undefined;
}

const PROBE_RETRY_MS = 500;
/** A machine reached by exec only is asked this often whether SSH has come up meanwhile. */
const UPGRADE_MS = 30_000;

export function createProber({ reach, app }: InstanceWorld): Prober {
  const acknowledged = new Map<string, string>();
  const addresses = new Map<string, { readonly id: string; readonly address: string }>();

  async function probe(
    instance: Instance,
    machine: Machine,
    { serves, strangeKeys }: Expected,
    signal: AbortSignal,
  ): Promise<Probe> {
    forgetFormer(instance.metadata.uid, machine);
    acknowledge(instance, machine);
    if (!serves || machine.state !== "started" || isHostUnknown(machine)) return {};
    const found = await ask(targetOn(instance, machine, strangeKeys), signal);
    return { reachability: lastKnown(found, instance, machine), againMs: nextProbe(found) };
  }

  async function ask(target: Target, signal: AbortSignal): Promise<Reachability> {
    try {
      return await reach.probe(target, signal);
    } catch (error) {
      signal.throwIfAborted();
      return { reachable: false, reason: "Probing", message: `no answer yet: ${messageOf(error)}` };
    }
  }

  function targetOn(instance: Instance, machine: Machine, strangeKeys: boolean): Target {
    const { metadata, spec, status } = instance;
    const mistrusted = status?.machine?.id === machine.id ? mistrustOf(instance) : undefined;
    const target = {
      app,
      machineId: machine.id,
      uid: metadata.uid,
      host: machine.private_ip ?? "",
      port: spec.ssh.port,
    };
    return { ...target, mistrusted, ssh: !strangeKeys };
  }

  /** The user says by annotation that the machine of this version is known to have another host key: tried afresh, once. */
  function acknowledge({ metadata }: Instance, { id, instance_id }: Machine): void {
    const version = metadata.annotations?.[ACKNOWLEDGE_HOST_KEY];
    if (version === undefined || version !== instance_id || acknowledged.get(metadata.uid) === version) return;
    acknowledged.set(metadata.uid, version);
    reach.acknowledge(id);
  }

  /** A machine that has stopped in between is another one to a connection too. */
  function forgetFormer(uid: string, { id, private_ip, instance_id, state }: Machine): void {
    const before = addresses.get(uid);
    const address = `${private_ip}/${instance_id}/${state}`;
    if (before?.id === id && before.address === address) return;
    if (before) reach.forget(before.id);
    addresses.set(uid, { id, address });
  }

  return {
    probe,
    forget(uid) {
      acknowledged.delete(uid);
      addresses.delete(uid);
    },
  };
}

/** Not having asked yet, as after a restart of ours, is no news: what was known of this very machine stands until there is some. */
function lastKnown(found: Reachability, instance: Instance, machine: Machine): Reachability {
  if (found.reachable || found.reason !== "Probing") return found;
  const before = findCondition(instance, "Reachable");
  const known = instance.status?.machine;
  const same = known?.instanceId === machine.instance_id && known.privateIp === machine.private_ip;
  if (before?.status !== "True" || !same || (before.reason !== "SSH" && before.reason !== "Exec")) return found;
  return { reachable: true, via: before.reason, message: before.message };
}

function nextProbe(found: Reachability): number | undefined {
  if (found.reachable) return found.via === "Exec" ? UPGRADE_MS : undefined;
  return found.reason === "HostKeyMismatch" ? undefined : Math.max(PROBE_RETRY_MS, found.againMs ?? 0);
}
