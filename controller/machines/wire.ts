// What goes over the wire to and from the Machines API: parsed here, trusted inside. Unknown fields are kept, because
// Fly adds them and an update must give them back. Source: Fly's OpenAPI description of the Machines API.
import { z } from "zod";

const guest = z.looseObject({
  cpu_kind: z.string().optional(),
  cpus: z.number().optional(),
  memory_mb: z.number().optional(),
});

export const machineConfig = z.looseObject({
  image: z.string().optional(),
  guest: guest.optional(),
  size: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  init: z
    .looseObject({
      exec: z.array(z.string()).nullish(),
      entrypoint: z.array(z.string()).nullish(),
      cmd: z.array(z.string()).nullish(),
    })
    .optional(),
  files: z
    .array(
      z.looseObject({
        guest_path: z.string(),
        raw_value: z.string().optional(),
        mode: z.number().optional(),
      }),
    )
    .nullish(),
  services: z.array(z.looseObject({})).nullish(),
  restart: z.looseObject({ policy: z.string().optional(), max_retries: z.number().optional() }).optional(),
  rootfs: z.looseObject({ persist: z.string().optional() }).optional(),
  auto_destroy: z.boolean().optional(),
});

export const machineEvent = z.looseObject({
  id: z.string().optional(),
  type: z.string(),
  status: z.string().optional(),
  source: z.string().optional(),
  /** ms since the epoch */
  timestamp: z.number().optional(),
  request: z.unknown().optional(),
});

export const machine = z.looseObject({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  region: z.string(),
  instance_id: z.string().default(""),
  private_ip: z.string().nullish(),
  created_at: z.string().optional(),
  updated_at: z.string().optional(),
  /** Absent when host_status is not ok; `incomplete_config` then holds what is known. */
  config: machineConfig.nullish(),
  incomplete_config: machineConfig.nullish(),
  host_status: z.string().optional(),
  events: z.array(machineEvent).nullish(),
});

export type MachineConfig = z.output<typeof machineConfig>;
export type MachineEvent = z.output<typeof machineEvent>;
export type Machine = z.output<typeof machine>;

/** The metadata that marks a machine as ours; `record` is what its configuration does not tell of the instance. */
export const OWNER = {
  uid: "flywheel-uid",
  namespace: "flywheel-namespace",
  name: "flywheel-name",
  controller: "flywheel-controller",
  record: "flywheel-record",
} as const;
