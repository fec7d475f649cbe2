// What a guest is told at boot: the user's environment, and over it what Fly gives every machine:
// by FLY_MACHINE_ID its processes are found.
import type { GuestSpec } from "./guest.ts";
import { mainCommand } from "./images.ts";
import type { MachineRecord } from "./machine-record.ts";

export function guestSpec(record: MachineRecord): GuestSpec {
  const { id, app, name, region, version, privateIp, config, freshRoot } = record;
  return {
    id,
    app,
    name,
    region,
    version,
    privateIp,
    config,
    freshRoot,
    command: mainCommand(config),
    env: {
      ...config.env,
      FLY_APP_NAME: app,
      FLY_MACHINE_ID: id,
      FLY_ALLOC_ID: id,
      FLY_REGION: region,
      FLY_PRIVATE_IP: privateIp,
      FLY_IMAGE_REF: config.image ?? "",
      FLY_MACHINE_VERSION: version,
      FLY_PROCESS_GROUP: config.metadata?.fly_process_group ?? "",
      FLY_VM_MEMORY_MB: String(config.guest?.memory_mb ?? ""),
      PRIMARY_REGION: region,
    },
  };
}
