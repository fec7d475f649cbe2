// What Fly is told of an instance: a pure function of its spec and of keys that are derived, never stored in it.

import type { Instance } from "../../crds/instance.ts";
import { AUTHORIZED_KEYS_PATH, HOST_KEY_PATH, INIT_PATH } from "../../crds/machine-files.ts";
import { type Guest, guestOf } from "../../crds/machine-size.ts";
import type { MachineConfig } from "../machines/wire.ts";
import { OWNER } from "../machines/wire.ts";
import { recordOf } from "./instance-record.ts";
import { machineInit } from "./machine-init.ts";

export interface MachineKeys {
  /** OpenSSH private key text of the instance's host key. */
  readonly hostKey: string;
  /** Lines for authorized_keys. */
  readonly authorizedKeys: string;
}

const PERSIST = { Always: "always", Restart: "restart", Never: "never" } as const;

/** 0600: keys. 0755: the init. Fly takes the bits as a number. */
const PRIVATE = 0o600;
const EXECUTABLE = 0o755;

export function machineConfig(instance: Instance, controllerId: string, keys: MachineKeys): MachineConfig {
  const { spec } = instance;
  const init = machineInit({ sshPort: spec.ssh.port, ownCommand: spec.command !== undefined });
  const config = {
    image: imageOf(instance),
    guest: { ...instanceGuest(instance) },
    env: spec.env ?? {},
    init: { entrypoint: ["/bin/sh", INIT_PATH], ...(spec.command && { cmd: [...spec.command] }) },
    files: [
      { guest_path: INIT_PATH, raw_value: base64(init), mode: EXECUTABLE },
      { guest_path: HOST_KEY_PATH, raw_value: base64(keys.hostKey), mode: PRIVATE },
      { guest_path: AUTHORIZED_KEYS_PATH, raw_value: base64(keys.authorizedKeys), mode: PRIVATE },
      ...(spec.files ?? []),
    ],
    services: [...(spec.services ?? [])],
    restart: spec.restart ?? { policy: "always" },
    rootfs: { persist: PERSIST[spec.rootfs.persist] },
    auto_destroy: false,
  };
  return { ...config, metadata: ownerMetadata(instance, controllerId, recordOf(instance, config)) };
}

function ownerMetadata({ metadata }: Instance, controllerId: string, record: string): Record<string, string> {
  return {
    [OWNER.uid]: metadata.uid,
    [OWNER.namespace]: metadata.namespace ?? "",
    [OWNER.name]: metadata.name,
    [OWNER.controller]: controllerId,
    ...(record !== "" && { [OWNER.record]: record }),
  };
}

/** The same for every attempt and region; another incarnation only after the former machine is certainly gone. */
export function machineName(uid: string, incarnation: number): string {
  return `fw-${uid.replaceAll("-", "")}-${incarnation}`;
}

/** Where to ask for a machine, in order. Admission has filled the region in. */
export function candidateRegions(instance: Instance): readonly string[] {
  return [...new Set([instance.spec.region ?? "", ...(instance.spec.fallbackRegions ?? [])])].filter(
    (region) => region !== "",
  );
}

function instanceGuest({ spec }: Instance): Guest {
  return guestOf(spec.size ?? "shared-cpu-1x", spec.memoryMb);
}

function imageOf({ spec }: Instance): string {
  return spec.image ?? "ubuntu:22.04";
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
