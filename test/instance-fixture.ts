// The smallest instance and machine that show a point.

import type { Machine } from "../controller/machines/wire.ts";
import { machineConfig } from "../controller/reconcilers/instance-config.ts";
import { type Instance, type InstanceStatus, instanceSpec } from "../crds/instance.ts";
import { API_VERSION } from "../crds/resource.ts";

export const CONTROLLER_ID = "controller-1";
export const KEYS = { hostKey: "host key", authorizedKeys: "ssh-ed25519 AAAA" };
export const START = "2026-01-01T00:00:00Z";

export function anInstance(
  spec: Record<string, unknown> = {},
  status?: InstanceStatus,
  metadata: Partial<Instance["metadata"]> = {},
): Instance {
  return {
    apiVersion: API_VERSION,
    kind: "Instance",
    metadata: {
      name: "box",
      namespace: "default",
      uid: "0b7c1f1e-8c1d-4c53-9a0e-6f2f0a8c1d11",
      resourceVersion: "1",
      generation: 1,
      creationTimestamp: START,
      ...metadata,
    },
    spec: instanceSpec.parse({ region: "iad", image: "ubuntu:22.04", size: "shared-cpu-1x", ...spec }),
    ...(status && { status }),
  };
}

export function aMachine(instance: Instance, changes: Partial<Machine> = {}): Machine {
  return {
    id: "148e21f0b1c289",
    name: "fw-1",
    state: "started",
    region: "iad",
    instance_id: "01J",
    private_ip: "127.64.0.1",
    created_at: START,
    host_status: "ok",
    config: machineConfig(instance, CONTROLLER_ID, KEYS),
    ...changes,
  };
}
