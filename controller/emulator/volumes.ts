// Volumes, as far as clients list, make, mount and remove them. No disk stands behind them.
import { type Clock, preciseTimestamp } from "../kernel/clock.ts";
import { isJsonObject } from "../kernel/json.ts";
import type { Random } from "../kernel/random.ts";
import type { MachineConfig } from "../machines/wire.ts";
import { failed, refused } from "./api-error.ts";
import { volumeId } from "./ids.ts";
import { isRegion } from "./regions.ts";

export interface Volume {
  readonly id: string;
  readonly app: string;
  readonly name: string;
  readonly region: string;
  readonly sizeGb: number;
  readonly createdAt: number;
  machineId: string | null;
  deleted: boolean;
}

export class Volumes {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #changed: (volume: Volume) => void;
  readonly #byId = new Map<string, Volume>();

  constructor(clock: Clock, random: Random, changed: (volume: Volume) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#changed = changed;
  }

  restore(saved: unknown): void {
    const volume = saved as Volume; // written by save below
    this.#byId.set(volume.id, volume);
  }

  create(app: string, name: string, region: string, sizeGb: number): Volume {
    if (!isRegion(region)) throw refused("invalid_argument", `volumes need one region, got '${region}'`);
    const volume: Volume = {
      id: volumeId(this.#random),
      app,
      name,
      region,
      sizeGb,
      createdAt: this.#clock.now(),
      machineId: null,
      deleted: false,
    };
    this.#byId.set(volume.id, volume);
    this.#changed(volume);
    return volume;
  }

  list(app: string): readonly Volume[] {
    return [...this.#byId.values()].filter((volume) => volume.app === app && !volume.deleted);
  }

  get(app: string, id: string): Volume {
    const volume = this.#byId.get(id);
    if (volume?.app !== app) throw failed(404, "volume not found");
    return volume;
  }

  delete(app: string, id: string): Volume {
    const volume = this.get(app, id);
    if (volume.machineId) {
      throw refused("failed_precondition", `volume is currently bound to machine: ${volume.machineId}`);
    }
    volume.deleted = true;
    this.#changed(volume);
    return volume;
  }

  deleteAll(app: string): void {
    for (const volume of this.list(app)) {
      volume.deleted = true;
      this.#changed(volume);
    }
  }

  /** Binds what the configuration mounts by id, all or nothing. */
  claim(app: string, machineId: string, config: MachineConfig): void {
    const mounts = Array.isArray(config.mounts) ? config.mounts.filter(isJsonObject) : [];
    const volumes = mounts.flatMap(({ volume }) => (typeof volume === "string" ? [this.#byId.get(volume)] : []));
    for (const volume of volumes) {
      if (volume?.app !== app || volume.deleted) throw failed(400, "volume not found");
      if (volume.machineId) {
        throw refused("failed_precondition", `volume already claimed by machine ${volume.machineId}`);
      }
    }
    for (const volume of volumes) {
      if (!volume) continue;
      volume.machineId = machineId;
      this.#changed(volume);
    }
  }

  release(machineId: string): void {
    for (const volume of this.#byId.values()) {
      if (volume.machineId !== machineId) continue;
      volume.machineId = null;
      this.#changed(volume);
    }
  }
}

export function volumeView(volume: Volume): Record<string, unknown> {
  return {
    id: volume.id,
    name: volume.name,
    state: volume.deleted ? "pending_destroy" : "created",
    region: volume.region,
    zone: "a1b2",
    size_gb: volume.sizeGb,
    encrypted: true,
    fstype: "ext4",
    attached_machine_id: volume.machineId,
    attached_alloc_id: null,
    created_at: preciseTimestamp(volume.createdAt),
    auto_backup_enabled: true,
    snapshot_retention: 5,
    host_status: "ok",
  };
}
