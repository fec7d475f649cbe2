// The processes of the bench: our server as it is shipped, and the programs beside it. All are bundled first, as
// `npm run build` does, so that nothing measured runs through a loader. They get an environment of their own: what the
// caller has in FLY_* is never seen, and every server that they speak to is on loopback.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import type { Call, Procedures, Reply } from "./programs/serve.ts";
import type { Scope } from "./scope.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const PROGRAMS = ["bare-route", "fly", "group-commits", "load", "watchers"] as const;

export interface Processes {
  /** Starts a program; `P` are the procedures that it serves. */
  start<P extends Procedures>(name: (typeof PROGRAMS)[number], args: readonly string[], scope: Scope): Program<P>;
  /** Starts the server with these variables and its data in `folder`; answers its URL once it listens. */
  server(folder: string, variables: Readonly<Record<string, string>>, scope: Scope): Promise<string>;
}

export interface Program<P extends Procedures> {
  call<Name extends keyof P & string>(
    name: Name,
    ...argument: Parameters<P[Name]>
  ): Promise<Awaited<ReturnType<P[Name]>>>;
}

/** Beside the server's own bundle, since it finds its package and manifests from there. */
export async function buildProcesses(scope: Scope): Promise<Processes> {
  const fileOf = (name: string) => join(ROOT, "dist", `bench-${process.pid}-${name}.js`);
  const names = ["main", ...PROGRAMS];
  scope.onClose(() => Promise.all(names.map((name) => rm(fileOf(name), { force: true }))));
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(
      names.map((name) => [name, name === "main" ? "controller/main.ts" : `test/bench/programs/${name}.ts`]),
    ),
    outdir: "dist",
    entryNames: `bench-${process.pid}-[name]`,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "warning",
  });

  return {
    start: (name, args, user) => startProgram(fileOf(name), args, user),
    server: (folder, variables, user) => startServer(fileOf("main"), folder, variables, user),
  };
}

function startProgram<P extends Procedures>(file: string, args: readonly string[], scope: Scope): Program<P> {
  const child = fork(file, args, { execArgv: [], env: environment(), stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  child.on("message", (reply: Reply) => {
    const caller = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ("error" in reply) caller?.reject(new Error(reply.error));
    else caller?.resolve(reply.value);
  });
  child.on("exit", (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${code ?? signal}`));
  });
  scope.onClose(() => ended(child, () => child.connected && child.disconnect()));
  return {
    call: (name, ...[argument]) =>
      new Promise((resolve, reject) => {
        calls += 1;
        const id = calls;
        // The reply is what the procedure of that name returned: P is the type of the program's own procedures.
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        child.send({ id, name, argument } satisfies Call);
      }),
  };
}

async function startServer(
  file: string,
  folder: string,
  variables: Readonly<Record<string, string>>,
  scope: Scope,
): Promise<string> {
  const env = { ...environment(), PORT: "0", DATA_DIR: join(folder, "data"), ...variables };
  // A .env of the caller is not in this working directory.
  const child = spawn(process.execPath, [file], { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
  scope.onClose(() => ended(child, () => child.kill("SIGTERM")));
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const url = /listening on (http:\S+)/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", () => reject(new Error(`the server ended: ${said.join("\n")}`)));
  });
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR };
}

/** Twice what the server itself allows its shutdown. */
const END_MS = 18_000;

async function ended(child: ChildProcess, stop: () => unknown): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  stop();
  const late = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await exit;
  clearTimeout(late);
}
