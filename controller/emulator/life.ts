// Moves machines through the phases of the model: after each entry it does the phase's work on the guest, lets its
// time pass and enters the next. One thing at a time happens to a guest; a newer phase ends the settling of the older.
import { type Clock, preciseTimestamp } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import type { Random } from "../kernel/random.ts";
import { afterExit, keepsRootfs, PHASES, type Phase, RESTART_WINDOW_MS, type Work } from "../machines/model.ts";
import { type Faults, isUnreachable } from "./faults.ts";
import { BootError, type Guest, type GuestExit, type Guests } from "./guest.ts";
import { guestSpec } from "./guest-spec.ts";
import { ulid } from "./ids.ts";
import type { Knobs } from "./knobs.ts";
import { addEvent, changePhase, type MachineRecord } from "./machine-record.ts";

export interface LifeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly guests: Guests;
  readonly knobs: Knobs;
  readonly faults: Faults;
  /** Called after every change, before anything else happens to the machine. */
  readonly changed: (record: MachineRecord) => void;
}

/** How often a destroy looks whether its host has come back. */
const HOST_POLL_MS = 200;
const WIPE_RETRY_MS = 1000;

export class Life {
  readonly #options: LifeOptions;
  readonly #guests = new Map<string, Guest>();
  readonly #frozen = new Set<string>();
  readonly #settling = new Map<string, AbortController>();
  /** The last work on each guest, so that the next begins after it. */
  readonly #work = new Map<string, Promise<void>>();
  #closed = false;

  constructor(options: LifeOptions) {
    this.#options = options;
  }

  guest(id: string): Guest | undefined {
    return this.#guests.get(id);
  }

  /** Enters a phase now; what follows from it happens by itself. */
  enter(record: MachineRecord, phase: Phase, request: EventRequest = null): void {
    if (this.#closed) return;
    changePhase(record, phase, this.#options.clock.now());
    const { event } = PHASES[phase];
    if (event) this.event(record, event.type, event.status, event.source, request);
    this.#options.changed(record);
    this.#settle(record);
    if (phase === "started") this.#watch(record);
  }

  event(record: MachineRecord, type: string, status: string, source: string, request: EventRequest = null): void {
    const { clock, random } = this.#options;
    const timestamp = clock.now();
    addEvent(record, { id: ulid(timestamp, random), type, status, source, timestamp, request });
  }

  /** Goes on with a machine that an earlier emulator left: its guest is found again, or what became of it. */
  async resume(record: MachineRecord): Promise<void> {
    if (record.phase === "destroyed") return;
    const frozen = record.phase === "suspended" || record.phase === "resuming";
    const found = await this.#options.guests.adopt(guestSpec(record), frozen);
    if (found && "exec" in found) {
      if (boots(record.phase)) await found.kill();
      else this.#hold(record, found, frozen);
      if (record.phase === "started") this.#watch(record);
    } else if (record.phase === "started") {
      return this.#ended(record, found ?? HOST_REBOOTED, found ? undefined : "host rebooted");
    }
    this.#settle(record);
  }

  /** Stops settling; with `kill`, ends every guest. Without it they go on alone. */
  async close(kill: boolean): Promise<void> {
    this.#closed = true;
    for (const controller of this.#settling.values()) controller.abort();
    await Promise.allSettled(this.#work.values());
    this.#guests.clear();
    await this.#options.guests.close(kill);
  }

  #settle(record: MachineRecord): void {
    this.#settling.get(record.id)?.abort();
    this.#settling.delete(record.id);
    const rule = PHASES[record.phase].settles;
    if (!rule) return;
    const controller = new AbortController();
    this.#settling.set(record.id, controller);
    const { signal } = controller;
    const run = async () => {
      await this.#locked(record.id, () => this.#before(record, rule.work, signal));
      if (rule.work === "boot") await this.#hindrances(record, signal);
      await this.#options.clock.sleep(this.#options.knobs.delays[rule.after], signal);
      await this.#locked(record.id, () => this.#after(record, rule.work, signal));
      if (!signal.aborted) this.enter(record, rule.to);
    };
    run().catch((error: unknown) => {
      if (signal.aborted) return;
      this.#options.log.warn({ machine: record.id, phase: record.phase, error: messageOf(error) }, "machine failed");
      if (rule.work === "wipe") return this.#retry(record, signal);
      this.enter(record, record.config.auto_destroy ? "destroying" : "failed", { error: messageOf(error) });
    });
  }

  /** A destroy has begun and cannot fail; it goes on until it is done. */
  #retry(record: MachineRecord, signal: AbortSignal): void {
    this.#options.clock.sleep(WIPE_RETRY_MS, signal).then(
      () => this.#settle(record),
      () => undefined, // the emulator closes
    );
  }

  /** What stops a guest happens at once. */
  async #before(record: MachineRecord, work: Work, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (work === "halt") await this.#halt(record, signal);
    if (work === "freeze") await this.#freeze(record);
    if (work === "wipe") {
      while (isUnreachable(this.#options.faults, record.id)) await this.#options.clock.sleep(HOST_POLL_MS, signal);
      await this.#drop(record.id);
    }
  }

  /** What starts a guest, or removes its files, happens when the time has passed. */
  async #after(record: MachineRecord, work: Work, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (work === "boot") await this.#boot(record, signal);
    if (work === "thaw") await this.#thaw(record, signal);
    if (work === "wipe") await this.#options.guests.wipe(record.id);
  }

  async #hindrances(record: MachineRecord, signal: AbortSignal): Promise<void> {
    const { faults, knobs, clock } = this.#options;
    const image = record.config.image ?? "";
    if (knobs.missingImages.test(image)) throw new BootError(`failed to get manifest ${image}: MANIFEST_UNKNOWN`);
    while (record.phase === "created" && faults.stuckPulls) await clock.sleep(HOST_POLL_MS, signal);
  }

  async #boot(record: MachineRecord, signal: AbortSignal): Promise<void> {
    await this.#drop(record.id);
    const guest = await this.#options.guests.boot(guestSpec(record), signal);
    if (signal.aborted) return guest.kill();
    record.freshRoot = !keepsRootfs(record.config.rootfs?.persist, "boot");
    this.#hold(record, guest, false);
  }

  async #thaw(record: MachineRecord, signal: AbortSignal): Promise<void> {
    const guest = this.#guests.get(record.id);
    if (!guest || this.#options.faults.coldResume) return this.#boot(record, signal);
    await guest.thaw();
    this.#frozen.delete(record.id);
  }

  async #freeze(record: MachineRecord): Promise<void> {
    await this.#guests.get(record.id)?.freeze();
    this.#frozen.add(record.id);
  }

  async #halt(record: MachineRecord, signal: AbortSignal): Promise<void> {
    const guest = this.#guests.get(record.id);
    if (!guest) return;
    let exit: GuestExit | undefined;
    if (!this.#frozen.has(record.id)) {
      await guest.signal(record.stop.signal);
      exit = await this.#exitWithin(guest, record.stop.timeoutMs, signal);
    }
    await this.#drop(record.id);
    exit ??= await guest.exited;
    const requested = record.phase !== "replacing" && record.phase !== "swapping";
    this.#exitEvent(record, exit, { requested, restarting: !requested });
    this.#options.changed(record);
  }

  /** How the guest ended, or undefined when it did not in time. */
  async #exitWithin(guest: Guest, ms: number, signal: AbortSignal): Promise<GuestExit | undefined> {
    const patience = new AbortController();
    const giveUp = () => patience.abort();
    signal.addEventListener("abort", giveUp, { once: true });
    const timeout = this.#options.clock.sleep(ms, patience.signal).then(
      () => undefined,
      () => undefined, // it ended in time, or a newer phase wants it gone now
    );
    try {
      return await Promise.race([guest.exited, timeout]);
    } finally {
      patience.abort();
      signal.removeEventListener("abort", giveUp);
    }
  }

  #hold(record: MachineRecord, guest: Guest, frozen: boolean): void {
    this.#guests.set(record.id, guest);
    if (frozen) this.#frozen.add(record.id);
  }

  /** While a machine is started, the end of its main process is news; in every other phase the settling deals with it. */
  #watch(record: MachineRecord): void {
    const guest = this.#guests.get(record.id);
    guest?.exited.then((exit) => {
      if (this.#closed || record.phase !== "started" || this.#guests.get(record.id) !== guest) return;
      this.#guests.delete(record.id);
      this.#locked(record.id, () => guest.kill()).then(() => this.#ended(record, exit));
    });
  }

  /** The main process ended by itself: the restart policy decides. */
  #ended(record: MachineRecord, exit: GuestExit, error?: string): void {
    if (record.phase !== "started") return;
    const { restart, auto_destroy } = record.config;
    const now = this.#options.clock.now();
    const recent = record.restarts.filter((at) => now - at < RESTART_WINDOW_MS);
    const next = error ? "recovering" : afterExit(exit.code, recent.length, restart, auto_destroy ?? false);
    const restarting = next === "recovering";
    record.restarts = restarting ? [...recent, now] : recent;
    this.#exitEvent(record, exit, { requested: false, restarting, error });
    this.enter(record, next);
  }

  #exitEvent(
    record: MachineRecord,
    exit: GuestExit,
    what: { readonly requested: boolean; readonly restarting: boolean; readonly error?: string | undefined },
  ): void {
    this.event(record, "exit", "stopped", "flyd", {
      exit_event: {
        exit_code: exit.code,
        guest_exit_code: exit.code,
        guest_signal: exit.signal,
        signal: exit.signal || -1,
        oom_killed: false,
        requested_stop: what.requested,
        restarting: what.restarting,
        exited_at: preciseTimestamp(this.#options.clock.now()),
        error: what.error ?? "",
      },
      restart_count: record.restarts.length,
    });
  }

  async #drop(id: string): Promise<void> {
    const guest = this.#guests.get(id);
    this.#guests.delete(id);
    this.#frozen.delete(id);
    await guest?.kill();
  }

  #locked(id: string, work: () => Promise<void>): Promise<void> {
    const before = this.#work.get(id) ?? Promise.resolve();
    const next = before.then(work, work);
    this.#work.set(id, next);
    const forget = () => {
      if (this.#work.get(id) === next) this.#work.delete(id);
    };
    next.then(forget, forget);
    return next;
  }
}

type EventRequest = Readonly<Record<string, unknown>> | null;

const HOST_REBOOTED: GuestExit = { code: 0, signal: 0 };

const boots = (phase: Phase) => PHASES[phase].settles?.work === "boot" || PHASES[phase].settles?.work === "none";
