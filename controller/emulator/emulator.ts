// The emulator as a server on loopback: the API over a cloud whose machines are processes on this computer.
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createAdaptorServer, type ServerType } from "@hono/node-server";
import type { Clock } from "../kernel/clock.ts";
import { makeFolder } from "../kernel/folder.ts";
import { type Log, silentLog } from "../kernel/log.ts";
import type { Random } from "../kernel/random.ts";
import { emulatorApi } from "./api.ts";
import { Cloud } from "./cloud.ts";
import type { Faults } from "./faults.ts";
import { chooseSandbox, type SandboxChoice } from "./guests/choose-sandbox.ts";
import { localGuests } from "./guests/local-guests.ts";
import { watch } from "./guests/watchdog.ts";
import { type KnobChanges, type Knobs, knobsOf } from "./knobs.ts";
import { lockState } from "./state-lock.ts";
import { fileStateStore } from "./state-store.ts";

export interface EmulatorOptions {
  readonly host?: "127.0.0.1";
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly token: string;
  /** Where machines and their files are found again; without it they end with the emulator, even when it is killed. */
  readonly stateDir?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  readonly knobs?: KnobChanges | Knobs;
  readonly faults?: Faults;
  readonly sandbox?: SandboxChoice;
}

export interface Emulator {
  /** For FLY_FLAPS_BASE_URL: without /v1. */
  readonly url: string;
  readonly token: string;
  readonly sandbox: "bubblewrap" | "plain";
  readonly cloud: Cloud;
  /** With `keepMachines` they go on running if there is a state directory, and the next emulator on it finds them. */
  close(options?: { readonly keepMachines?: boolean }): Promise<void>;
}

export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { clock, random, token, log = silentLog } = options;
  const knobs = knobsOf(options.knobs);
  const mortal = options.stateDir === undefined;
  const sandbox = await chooseSandbox(options.sandbox ?? "auto", mortal, log);
  const stateDir = resolve(options.stateDir ?? (await mkdtemp(join(tmpdir(), "flywheel-emulator-"))));
  makeFolder(stateDir);
  const unlock = await lockState(stateDir);
  const release = mortal ? watch(stateDir) : undefined;
  const cloud = new Cloud({
    clock,
    random,
    log,
    knobs,
    guests: localGuests({ stateDir, sandbox, sshDelayMs: knobs.sshDelayMs, log }),
    state: fileStateStore(stateDir),
    ...(options.faults ? { faults: options.faults } : {}),
  });
  const server = createAdaptorServer({ fetch: emulatorApi(cloud, { token }).fetch });

  async function close({ keepMachines = false } = {}): Promise<void> {
    await stopListening(server);
    await cloud.close({ keepMachines: keepMachines && !mortal });
    await unlock();
    if (mortal) await rm(stateDir, { recursive: true, force: true });
    release?.(); // not when something above failed: then the watchdog has work
  }

  try {
    await cloud.open();
    const port = await listen(server, options.host ?? "127.0.0.1", options.port ?? 0);
    return { url: `http://127.0.0.1:${port}`, token, sandbox: sandbox.name, cloud, close };
  } catch (error) {
    await close({ keepMachines: true });
    throw error;
  }
}

function listen(server: ServerType, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port); // listening on a host and a port, it has both
    });
  });
}

function stopListening(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
}
