// Opens what the control loops reach the machines through, in production: keys from the data directory, SSH, Fly's exec
// endpoint, and the hourly housekeeping.
import { schedule } from "node-cron";
import type { Admission } from "./admission/admission.ts";
import type { Config } from "./config.ts";
import { startControlLoops } from "./control-loops.ts";
import type { Clock } from "./kernel/clock.ts";
import { messageOf } from "./kernel/errors.ts";
import type { Log } from "./kernel/log.ts";
import type { Random } from "./kernel/random.ts";
import { RESYNC_MS } from "./limits.ts";
import type { Machines } from "./machines/machines.ts";
import type { Metrics } from "./metrics.ts";
import type { Adopt } from "./reconcilers/adoption.ts";
import { expireEvents } from "./reconcilers/housekeeping.ts";
import { builtInRunners } from "./steps/runners.ts";
import type { Database } from "./store/store.ts";
import { execTransport } from "./transports/exec.ts";
import { hostKeys } from "./transports/host-key.ts";
import { createReach } from "./transports/pool.ts";
import { readMasterSecret, readOrMakeSshKey } from "./transports/secrets.ts";
import { sshTransport } from "./transports/ssh.ts";

export interface ControllersOptions {
  readonly config: Config;
  readonly database: Database;
  readonly admission: Admission;
  readonly machines: Machines;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  fatal(error: Error): void;
}

export interface Controllers {
  readonly adopt: Adopt;
  ready(): { readonly ok: boolean; readonly message?: string };
  /** Resolves when all that was started has ended. */
  close(): Promise<void>;
}

/** Workers mostly wait for Fly or for a machine, so there are many of them; they cost nothing while they wait. */
const WORKERS = 256;

/** Hourly, off the full hour, when everybody else's jobs run. */
const HOUSEKEEPING = "17 * * * *";

export function startControllers(options: ControllersOptions): Controllers {
  const { config, database, machines, clock, random, log, metrics } = options;
  const { app } = config.fly;
  const hostKeyOf = hostKeys(readMasterSecret(config.dataDir));
  const sshKey = readOrMakeSshKey(config.ssh.keyPath, config.dataDir);
  const reach = createReach({
    clock,
    log,
    ssh: sshTransport({
      clock,
      privateKey: sshKey.privateKey,
      hostKeyOf,
      readyTimeoutMs: config.ssh.timeoutMs,
    }),
    exec: execTransport({ machines, clock, random }),
  });
  const loops = startControlLoops({
    database,
    admission: options.admission,
    machines,
    reach,
    runners: builtInRunners,
    keysOf: (uid) => ({
      hostKey: hostKeyOf(uid).privateKey,
      authorizedKeys: `${sshKey.publicKey}\n`,
    }),
    clock,
    random,
    log,
    app,
    observeIntervalMs: config.observeIntervalMs,
    resyncMs: RESYNC_MS,
    workers: WORKERS,
    orphans: { policy: config.orphanPolicy, found: metrics.orphans },
    observe: metrics.reconciled,
    fatal: options.fatal,
  });
  const { fleet } = loops;
  metrics.watch(loops.controllers, () => fleet.breaker.open);

  const housekeeping = schedule(HOUSEKEEPING, () =>
    expireEvents(database.store, clock).catch((error: unknown) =>
      log.warn({ error: messageOf(error) }, "old events stay until the next hour"),
    ),
  );

  return {
    adopt: loops.adopt,
    ready: () =>
      fleet.synced ? { ok: true } : { ok: false, message: `the machines of app ${app} have not been listed yet` },
    async close() {
      await housekeeping.stop();
      await loops.close();
      reach.close();
    },
  };
}
