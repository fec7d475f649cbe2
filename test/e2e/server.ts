// The real server as users run it: the built file in a process of its own, a free port, data of its own, the emulator
// inside. A test may kill it and start it again on the same data; `close` leaves neither processes nor files behind.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processTable, send } from "../../controller/emulator/guests/processes.ts";
import { type Ended, type Environment, type Program, runProgram, startProgram } from "./program.ts";

export const ROOT = new URL("../..", import.meta.url).pathname;
const processesOf = processTable();
const SERVER = join(ROOT, "dist/main.js");
const CLI = join(ROOT, "dist/flywheel.cjs");

/** The type is what the test expects of the answer; that it is so, is what the test is about. */
export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

type Fields = Readonly<Record<string, string>>;

export interface TestServer {
  readonly url: string;
  /** Of the emulator inside it. */
  readonly emulatorUrl: string;
  readonly folder: string;
  readonly dataDir: string;
  readonly process: Program;
  send<T = unknown>(method: string, path: string, body?: unknown, headers?: Fields): Promise<Answer<T>>;
  get<T = unknown>(path: string): Promise<Answer<T>>;
  cli(...args: readonly string[]): Promise<Ended>;
  /** Applies manifests with the CLI. */
  apply(...manifests: readonly object[]): Promise<Ended>;
  /** Asks the emulator itself. */
  fly<T = unknown>(method: string, path: string, body?: unknown): Promise<Answer<T>>;
  kill(signal: NodeJS.Signals): Promise<Ended>;
  /** On the same data as before, with another port. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** `wrap` says, at each start, which program is to become the server, such as `["prlimit", "--fsize=…"]`; none when absent. */
export async function startServer(
  environment: Environment = {},
  wrap: () => readonly string[] = () => [],
): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-e2e-"));
  const dataDir = join(folder, "data");
  const env: Environment = { PORT: "0", DATA_DIR: dataDir, OBSERVE_INTERVAL: "1s", LOG_LEVEL: "warn", ...environment };
  const start = () => {
    const [file = process.execPath, ...args] = [...wrap(), process.execPath, SERVER];
    return startProgram(file, args, { cwd: folder, env });
  };
  let program = start();
  let url = "";
  let emulatorUrl = "";
  await listening();

  async function listening(): Promise<void> {
    url = (await program.said(/listening on (\S+)/))[1] ?? "";
    emulatorUrl = /emulator at (\S+)/.exec(program.text.err)?.[1] ?? env.FLY_FLAPS_BASE_URL ?? "";
  }

  const server: TestServer = {
    get url() {
      return url;
    },
    get emulatorUrl() {
      return emulatorUrl;
    },
    get process() {
      return program;
    },
    folder,
    dataDir,
    send: (method, path, body, headers = {}) => request(`${url}${path}`, method, body, { ...key(env), ...headers }),
    get: (path) => request(`${url}${path}`, "GET", undefined, key(env)),
    cli: (...args) => runCli(args),
    apply: (...manifests) =>
      runCli(["apply", "-f", "-"], manifests.map((each) => JSON.stringify(each)).join("\n---\n")),
    fly: (method, path, body) =>
      request(`${emulatorUrl}${path}`, method, body, { authorization: `Bearer ${emulatorToken()}` }),
    async kill(signal) {
      program.child.kill(signal);
      return program.ended;
    },
    async restart() {
      await program.stop("SIGKILL");
      program = start();
      await listening();
    },
    async close() {
      await program.stop("SIGTERM");
      await endMachines(join(dataDir, "emulator"));
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  return server;

  function runCli(args: readonly string[], stdin = ""): Promise<Ended> {
    const token = env.API_KEY === undefined ? {} : { FLYWHEEL_TOKEN: env.API_KEY };
    return runProgram(process.execPath, [CLI, ...args], {
      cwd: folder,
      env: { FLYWHEEL_SERVER: url, ...token },
      stdin,
    });
  }

  function emulatorToken(): string {
    return env.FLY_API_TOKEN ?? readFileSync(join(dataDir, "emulator/token"), "utf8").trim();
  }
}

function key(env: Environment): Fields {
  return env.API_KEY === undefined ? {} : { authorization: `Bearer ${env.API_KEY}` };
}

export async function request<T>(url: string, method: string, body: unknown, headers: Fields): Promise<Answer<T>> {
  const answer = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.startsWith("application/json") ?? false;
  return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
}

/** Machines outlive their emulator by design; those of a test end with it. They are known by their directories. */
export async function endMachines(stateDir: string): Promise<void> {
  for (const id of machineIds(stateDir)) {
    for (let alive = await processesOf(id); alive.length > 0; alive = await processesOf(id)) {
      for (const { pid } of alive) send(pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

export function machineIds(stateDir: string): readonly string[] {
  try {
    return readdirSync(join(stateDir, "guests"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
