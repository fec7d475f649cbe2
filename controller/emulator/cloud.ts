// The emulated cloud: apps, machines and volumes, what may be done to them, and what the API shows. Time, chance and
// what a started machine really is come in as arguments, so that a simulation runs it on virtual time without processes.
import type { Clock } from "../kernel/clock.ts";
import { type Log, silentLog } from "../kernel/log.ts";
import type { Random } from "../kernel/random.ts";
import { type Command, decide, keepsRootfs, PHASES, type Phase } from "../machines/model.ts";
import type { MachineConfig } from "../machines/wire.ts";
import { failed, refused } from "./api-error.ts";
import { type AppRecord, Apps, type NewApp } from "./apps.ts";
import { type Faults, isUnreachable } from "./faults.ts";
import type { Guests } from "./guest.ts";
import { MACHINE_ID, machineId, machineName, privateAddress, ulid } from "./ids.ts";
import { type KnobChanges, type Knobs, knobsOf } from "./knobs.ts";
import { requireLease } from "./lease.ts";
import { Life } from "./life.ts";
import { normalizeConfig, stopOptions } from "./machine-config.ts";
import { addVersion, billedState, isFinal, isInState, type MachineRecord } from "./machine-record.ts";
import { place } from "./regions.ts";
import { noStateStore, type StateStore } from "./state-store.ts";
import { Volumes } from "./volumes.ts";

export interface CloudOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly guests: Guests;
  readonly log?: Log;
  readonly knobs?: KnobChanges | Knobs;
  readonly faults?: Faults;
  readonly state?: StateStore;
}

export interface NewMachine {
  readonly name?: string | undefined;
  readonly region?: string | undefined;
  readonly config: MachineConfig;
  readonly skipLaunch?: boolean | undefined;
}

export interface MachineUpdate {
  readonly config: MachineConfig;
  readonly currentVersion?: string | undefined;
  readonly skipLaunch?: boolean | undefined;
}

/** Destroyed machines that can still be read by id. */
const DESTROYED_KEPT = 1000;

export class Cloud {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly knobs: Knobs;
  /** Switch faults on and off here at any time. */
  readonly faults: Faults;
  readonly apps: Apps;
  readonly volumes: Volumes;
  readonly #machines = new Map<string, MachineRecord>();
  readonly #watchers = new Set<(record: MachineRecord) => void>();
  readonly #state: StateStore;
  readonly #saving = new Set<Promise<void>>();
  readonly #life: Life;

  constructor(options: CloudOptions) {
    const { clock, random, guests, log = silentLog } = options;
    this.clock = clock;
    this.random = random;
    this.log = log;
    this.knobs = knobsOf(options.knobs);
    this.faults = options.faults ?? {};
    this.#state = options.state ?? noStateStore;
    this.apps = new Apps(clock, this.knobs.appLagMs);
    this.volumes = new Volumes(clock, random, (volume) => this.#keep(this.#state.save("volumes", volume.id, volume)));
    const changed = (record: MachineRecord) => this.#changed(record);
    this.#life = new Life({ clock, random, log, guests, knobs: this.knobs, faults: this.faults, changed });
  }

  /** Finds again what an earlier emulator kept in the same state directory. */
  async open(): Promise<void> {
    // The files are our own; their content is trusted like the rest of the state directory.
    for (const app of (await this.#state.load("apps")).values()) this.apps.restore(app as AppRecord);
    for (const volume of (await this.#state.load("volumes")).values()) this.volumes.restore(volume);
    const machines = [...(await this.#state.load("machines")).values()] as MachineRecord[];
    machines.sort((a, b) => a.createdAt - b.createdAt);
    for (const record of machines) this.#machines.set(record.id, record);
    await Promise.all(machines.map((record) => this.#life.resume(record)));
  }

  /** Lets go of the machines, or ends them. */
  async close(options: { readonly keepMachines: boolean }): Promise<void> {
    await this.#life.close(!options.keepMachines);
    await this.saved();
  }

  /** Resolves when everything decided so far is on disk; a call is answered after that. */
  async saved(): Promise<void> {
    await Promise.all(this.#saving);
  }

  createApp(request: NewApp): AppRecord {
    const app = this.apps.create(request);
    this.#keep(this.#state.save("apps", app.name, app));
    return app;
  }

  deleteApp(name: string): void {
    const app = this.apps.get(name);
    for (const record of this.machinesOf(name)) if (!isFinal(record)) this.#command(record, "force-destroy");
    this.volumes.deleteAll(name);
    app.deleted = true;
    this.#keep(this.#state.remove("apps", name));
  }

  /** In order of creation, destroyed ones included. */
  machinesOf(app: string): readonly MachineRecord[] {
    return [...this.#machines.values()].filter((record) => record.app === app);
  }

  allMachines(): readonly MachineRecord[] {
    return [...this.#machines.values()];
  }

  machine(app: string, id: string): MachineRecord {
    this.apps.get(app);
    if (!MACHINE_ID.test(id)) throw failed(400, `invalid machine ID, '${id}'`);
    const record = this.#machines.get(id);
    const tooNew = record && this.clock.now() - record.createdAt < this.knobs.getLagMs;
    if (record?.app !== app || tooNew) throw failed(404, "machine not found");
    return record;
  }

  createMachine(app: string, request: NewMachine): MachineRecord {
    this.apps.get(app);
    const config = normalizeConfig(request.config);
    const name = request.name || machineName(this.random);
    const holder = this.machinesOf(app).find((each) => each.name === name && !isFinal(each));
    if (holder) {
      const message = `unique machine name violation, machine ID ${holder.id} already exists with name "${name}"`;
      throw refused("already_exists", message);
    }
    this.#requireImage(config);
    const region = place(request.region, this.faults);
    const now = this.clock.now();
    const record: MachineRecord = {
      id: machineId(this.random),
      app,
      name,
      region,
      createdAt: now,
      phase: "created",
      since: now,
      updatedAt: now,
      version: "",
      privateIp: this.#freeAddress(),
      config,
      versions: [],
      events: [],
      past: [],
      restarts: [],
      freshRoot: true,
      stop: { signal: "SIGINT", timeoutMs: this.knobs.killTimeoutMs },
      lease: undefined,
      cordoned: false,
      billedMs: { started: 0, stopped: 0, suspended: 0 },
    };
    this.volumes.claim(app, record.id, config);
    addVersion(record, ulid(now, this.random), config);
    this.#machines.set(record.id, record);
    this.#life.enter(record, request.skipLaunch ? "parked" : "created");
    record.past = []; // before this moment there was nothing to see
    return record;
  }

  #requireImage({ image }: MachineConfig): void {
    if (!this.knobs.missingImages.test(image ?? "") || this.faults.lateImageErrors) return;
    throw refused("not_found", `failed to get manifest ${image}: MANIFEST_UNKNOWN: manifest unknown`);
  }

  updateMachine(record: MachineRecord, request: MachineUpdate, nonce: string | undefined): void {
    requireLease(record, nonce, this.clock.now());
    this.#requireHost(record);
    if (request.currentVersion !== undefined && request.currentVersion !== record.version) {
      throw refused("aborted", "machine update failed due to concurrent update");
    }
    const config = normalizeConfig(request.config);
    if (config.image !== record.config.image) this.#requireImage(config);
    const command = request.skipLaunch ? "swap" : "update";
    this.#decide(record, command);
    this.#requireRoom();
    record.freshRoot ||= !keepsRootfs(config.rootfs?.persist, "update");
    record.stop = stopOptions(record.config, {}, this.knobs.killTimeoutMs);
    addVersion(record, ulid(this.clock.now(), this.random), config);
    this.#command(record, command);
  }

  /** The state it was in. */
  start(record: MachineRecord, nonce: string | undefined): string {
    requireLease(record, nonce, this.clock.now());
    this.#requireHost(record);
    const previous = PHASES[record.phase].shown;
    this.#decide(record, "start");
    this.#requireRoom();
    this.#command(record, "start");
    return previous;
  }

  stop(record: MachineRecord, how: { signal?: unknown; timeout?: unknown }, nonce: string | undefined): void {
    requireLease(record, nonce, this.clock.now());
    this.#requireHost(record);
    const stop = stopOptions(record.config, how, this.knobs.killTimeoutMs);
    this.#decide(record, "stop");
    record.stop = stop;
    this.#command(record, "stop");
  }

  restart(record: MachineRecord, how: { signal?: unknown; timeout?: unknown }, nonce: string | undefined): void {
    requireLease(record, nonce, this.clock.now());
    this.#requireHost(record);
    record.stop = stopOptions(record.config, how, this.knobs.killTimeoutMs);
    this.#command(record, "restart");
  }

  suspend(record: MachineRecord, nonce: string | undefined): void {
    requireLease(record, nonce, this.clock.now());
    this.#requireHost(record);
    if ((record.config.guest?.memory_mb ?? 0) > SUSPEND_MAX_MB || record.config.schedule) {
      throw refused("failed_precondition", "machine does not support suspend: over 2 GB of memory, swap or a schedule");
    }
    this.#command(record, "suspend");
  }

  destroy(record: MachineRecord, force: boolean, nonce: string | undefined): void {
    requireLease(record, nonce, this.clock.now());
    const decision = decide(force ? "force-destroy" : "destroy", record.phase);
    if (!decision.allowed && this.faults.destroyRefusedAs409)
      throw failed(409, `${decision.code}: ${decision.message}`);
    this.#command(record, force ? "force-destroy" : "destroy");
  }

  /** Throws unless commands can run on the machine now. */
  requireStarted(record: MachineRecord, command: "exec" | "signal"): NonNullable<ReturnType<Life["guest"]>> {
    this.#requireHost(record);
    this.#decide(record, command);
    const guest = this.#life.guest(record.id);
    if (!guest) throw refused("failed_precondition", "machine is not started");
    return guest;
  }

  /** Moves the machine to another host: same id, another address, one stop and start. */
  migrate(record: MachineRecord): void {
    record.privateIp = this.#freeAddress();
    this.#life.event(record, "launch", "created", "flyd", { migrated: true });
    record.freshRoot ||= !keepsRootfs(record.config.rootfs?.persist, "boot");
    this.#command(record, "restart");
  }

  /** A change that is no phase: metadata, lease, cordon. */
  touched(record: MachineRecord, options: { readonly updated: boolean }): void {
    if (options.updated) record.updatedAt = this.clock.now();
    this.#changed(record);
  }

  /** Seconds that count on a bill, by machine: CPU and memory while started, disk while stopped or suspended. */
  usage(): readonly Record<string, unknown>[] {
    const now = this.clock.now();
    return this.allMachines().map((record) => {
      const seconds = { ...record.billedMs };
      const current = billedState(record.phase);
      if (current) seconds[current] += now - record.since;
      for (const state of ["started", "stopped", "suspended"] as const) seconds[state] /= 1000;
      return { id: record.id, app: record.app, name: record.name, region: record.region, seconds };
    });
  }

  isUnreachable(record: MachineRecord): boolean {
    return isUnreachable(this.faults, record.id);
  }

  /** True when the machine came into one of the states; false when the signal ended the waiting or it is destroyed. */
  async waitFor(record: MachineRecord, states: readonly string[], signal: AbortSignal): Promise<boolean> {
    if (isInState(record, states)) return true;
    return new Promise((resolve) => {
      const finish = (reached: boolean) => {
        this.#watchers.delete(look);
        signal.removeEventListener("abort", abort);
        resolve(reached);
      };
      const abort = () => finish(false);
      const look = (changed: MachineRecord) => {
        if (changed !== record) return;
        if (isInState(record, states)) finish(true);
        else if (isFinal(record)) finish(false);
      };
      if (signal.aborted || isFinal(record)) return resolve(false);
      signal.addEventListener("abort", abort, { once: true });
      this.#watchers.add(look);
    });
  }

  #decide(record: MachineRecord, command: Command): Phase {
    const quietMs = this.clock.now() - record.since;
    const decision = decide(command, record.phase, { quietMs, quietNeededMs: this.knobs.stillActiveMs });
    if (!decision.allowed) throw refused(decision.code, decision.message);
    return decision.to;
  }

  #command(record: MachineRecord, command: Command): void {
    const to = this.#decide(record, command);
    if (to !== record.phase) this.#life.enter(record, to);
  }

  #requireHost(record: MachineRecord): void {
    if (this.isUnreachable(record)) throw refused("unavailable", `host of machine ${record.id} is unreachable`);
  }

  #requireRoom(): void {
    if (!this.faults.fullHosts) return;
    throw refused(
      "aborted",
      "could not reserve resource for machine: insufficient memory available to fulfill request on the current host",
    );
  }

  #freeAddress(): string {
    const taken = new Set(this.allMachines().map((record) => record.privateIp));
    let address = privateAddress(this.random);
    while (taken.has(address)) address = privateAddress(this.random);
    return address;
  }

  #changed(record: MachineRecord): void {
    this.#keep(this.#state.save("machines", record.id, record));
    if (isFinal(record)) {
      this.volumes.release(record.id);
      this.#forgetOldest();
    }
    for (const look of [...this.#watchers]) look(record);
  }

  #forgetOldest(): void {
    const destroyed = this.allMachines().filter(isFinal);
    for (const { id } of destroyed.slice(0, Math.max(0, destroyed.length - DESTROYED_KEPT))) {
      this.#machines.delete(id);
      this.#keep(this.#state.remove("machines", id));
    }
  }

  #keep(saving: Promise<void>): void {
    this.#saving.add(saving);
    const forget = () => this.#saving.delete(saving);
    saving.then(forget, (error: unknown) => {
      forget();
      this.log.error({ error }, "emulator state not saved");
    });
  }
}

/** Fly's limit for suspend. */
const SUSPEND_MAX_MB = 2048;
