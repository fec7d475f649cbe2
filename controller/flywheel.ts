// Puts the parts together: one process with a store, an API, and controllers that make Fly agree with it. Everything is
// opened here in order and closed in the opposite one.
import { join } from "node:path";
import { Registry } from "prom-client";
import { createApi } from "../api/app.ts";
import { listen } from "../api/listen.ts";
import { KINDS } from "../crds/kinds.ts";
import type { Admission } from "./admission/admission.ts";
import { createAdmission } from "./admission/create-admission.ts";
import { installBuiltIns } from "./built-ins.ts";
import { type Config, ConfigError, isLoopback } from "./config.ts";
import { type Controllers, startControllers } from "./controllers.ts";
import type { Emulator } from "./emulator/emulator.ts";
import { readIdentity } from "./identity.ts";
import type { Clock } from "./kernel/clock.ts";
import { messageOf } from "./kernel/errors.ts";
import { makeFolder } from "./kernel/folder.ts";
import type { Log } from "./kernel/log.ts";
import type { Random } from "./kernel/random.ts";
import { SHUTDOWN_MS, START_ATTEMPTS, START_RETRY_MS } from "./limits.ts";
import { flyBudget } from "./machines/budget.ts";
import { flyMachines } from "./machines/client.ts";
import { undiciHttp } from "./machines/http.ts";
import { type Machines, MachinesError } from "./machines/machines.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { openSqlite } from "./store/sqlite.ts";
import type { Database } from "./store/store.ts";
import { authorityFile, serverTls } from "./tls.ts";
import { readSecretsKey } from "./transports/secrets.ts";

export interface FlywheelOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly version: string;
  /** Whether the emulator's machines outlive this process, to be found again by the next one; true when absent. */
  readonly keepMachines?: boolean;
  /** One line for the person who started it. */
  notice(line: string): void;
  /** Our own code is wrong, and going on could do harm: end the process. */
  fatal(error: Error): void;
}

export interface Flywheel {
  readonly url: string;
  /** The emulator in this process, when there is no Fly token. */
  readonly emulatorUrl: string | undefined;
  /** Ids of machines that exist in the app, as Fly says now. */
  liveMachines(): Promise<readonly string[]>;
  close(): Promise<void>;
}

type Close = () => unknown;

export async function startFlywheel(options: FlywheelOptions): Promise<Flywheel> {
  const opened: Close[] = [];
  try {
    return await open(options, (close) => opened.push(close));
  } catch (error) {
    await closeAll(opened);
    throw error;
  }

  async function open(
    { config, clock, random, log, version, fatal }: FlywheelOptions,
    onClose: (close: Close) => void,
  ): Promise<Flywheel> {
    makeDataDir(config.dataDir);
    const secretsKey = config.secretsKey ?? readSecretsKey(config.dataDir);
    const database = await openSqlite({ file: config.databaseFile, clock, random, log, secretsKey });
    onClose(() => database.close());
    const { store, logs } = database;
    const registry = new Registry();
    const metrics = createMetrics(registry);

    const admission = createAdmission({ store, kinds: KINDS, defaults: config.defaults, random });
    await installBuiltIns(store, admission, log);
    const parts = { ...options, database, admission, metrics };
    const fly = config.controllers === "all" ? await openFly(parts, onClose) : undefined;

    const app = createApi({
      store,
      logs,
      admission,
      kinds: KINDS,
      clock,
      random,
      log,
      version,
      fatal,
      metrics: registry,
      apiKey: config.apiKey,
      loopback: isLoopback(config.host),
      execTimeoutMs: config.ssh.timeoutMs,
      backup: (signal) => database.backup({ version, app: config.fly.app, ...readIdentity(config) }, signal),
      adopt: fly?.controllers.adopt,
      ready: async () => fly?.controllers.ready() ?? { ok: true },
    });
    const { host, port } = config;
    const tls = await serverTls(config, clock);
    if (config.tls === "self-signed")
      options.notice(`clients trust ${authorityFile(config.dataDir)} (FLYWHEEL_CA_FILE)`);
    const server = await withPort("PORT", port, () => listen(app, { host, port, clock, tls }));
    onClose(() => server.close(SHUTDOWN_MS / 3));
    return {
      url: server.url,
      emulatorUrl: fly?.emulator?.url,
      liveMachines: async () => {
        const machines = await fly?.machines.list(config.fly.app, {}, new AbortController().signal);
        return (machines ?? []).map(({ id, state }) => `${id} (${state})`);
      },
      close: () => closeAll(opened),
    };
  }
}

interface FlyParts extends FlywheelOptions {
  readonly database: Database;
  readonly admission: Admission;
  readonly metrics: Metrics;
}

interface FlySide {
  readonly emulator: Emulator | undefined;
  readonly machines: Machines;
  readonly controllers: Controllers;
}

/** The side of the machines; a server that serves the API alone has none. */
async function openFly(parts: FlyParts, onClose: (close: Close) => void): Promise<FlySide> {
  const { config, clock, random, log, metrics } = parts;
  const emulator = config.fly.token === undefined ? await startLocalFly(parts) : undefined;
  if (emulator) onClose(() => stopLocalFly(emulator, parts));
  const http = undiciHttp({ clock });
  onClose(() => http.close());
  const budget = flyBudget(clock);
  metrics.budget(() => budget.counters);
  const machines = flyMachines({
    http,
    budget,
    clock,
    random,
    log,
    baseUrl: emulator?.url ?? config.fly.baseUrl,
    token: emulator?.token ?? config.fly.token ?? "",
    observe: (call) => metrics.called(call.action, String(call.status ?? "no answer"), call.durationMs),
  });
  await ensureApp(machines, parts, emulator);
  const controllers = startControllers({ ...parts, machines });
  onClose(() => controllers.close());
  return { emulator, machines, controllers };
}

/** Loaded only when it is needed: with a token nothing of the emulator runs. */
async function startLocalFly({ config, clock, random, log, notice }: FlywheelOptions): Promise<Emulator> {
  const [{ startEmulator }, { keptToken }] = await Promise.all([
    import("./emulator/emulator.ts"),
    import("./emulator/token.ts"),
  ]);
  const stateDir = config.emulator.stateDir ?? join(config.dataDir, "emulator");
  const token = config.emulator.token ?? (await keptToken(stateDir));
  const port = config.emulator.port ?? 0;
  const emulator = await withPort("EMULATOR_PORT", port, () =>
    startEmulator({ port, stateDir, token, clock, random, log }),
  );
  notice(`no FLY_API_TOKEN: machines are local processes of the emulator at ${emulator.url}`);
  if (emulator.sandbox === "plain") notice("no bubblewrap: commands of machines run on this computer with your rights");
  return emulator;
}

/** Says so when processes stay: nobody should find them later and wonder. */
async function stopLocalFly(emulator: Emulator, { keepMachines = true, notice }: FlywheelOptions): Promise<void> {
  const running = emulator.cloud.allMachines().filter(({ phase }) => phase === "started").length;
  await emulator.close({ keepMachines });
  if (!keepMachines || running === 0) return;
  const [go, them] = running === 1 ? ["machine goes", "it"] : ["machines go", "them"];
  notice(`${running} ${go} on running; the next start finds ${them} again`);
}

function makeDataDir(path: string): void {
  try {
    makeFolder(path);
  } catch (cause) {
    throw new ConfigError(`DATA_DIR=${path}: cannot be made: ${messageOf(cause)}`, { cause });
  }
}

/** A port that is taken is the user's to know about, by the variable that names it. */
async function withPort<T>(variable: string, port: number, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE")) throw cause;
    const remedy = "end what listens there, or set another; 0 takes a free one";
    throw new ConfigError(`${variable}=${port}: the port is in use: ${remedy}`, { cause });
  }
}

/**
 * The machines need an app to live in; its absence is told at start rather than at the first instance. A process that
 * crashed may have used Fly's budget up, so being throttled is waited out.
 */
async function ensureApp(
  machines: Machines,
  { config, clock }: FlywheelOptions,
  emulator: Emulator | undefined,
): Promise<void> {
  const organization = config.fly.organization ?? (emulator ? "personal" : "");
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await machines.ensureApp(config.fly.app, organization, new AbortController().signal);
    } catch (error) {
      const throttled = error instanceof MachinesError && error.class === "throttled";
      if (!throttled || attempt === START_ATTEMPTS) throw error;
      await clock.sleep(error.retryAfterMs ?? START_RETRY_MS);
    }
  }
}

/** Last opened, first closed; one that fails does not keep the others open. */
async function closeAll(opened: Close[]): Promise<void> {
  const failures: unknown[] = [];
  for (let close = opened.pop(); close; close = opened.pop()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, "closing failed");
}
