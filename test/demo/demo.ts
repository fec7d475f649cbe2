// The main job, from nothing and with no account: a Git repository, a machine made from a manifest, a command over SSH, a
// workflow that clones, commits and pushes, and then proof that nothing is left. Every command shown is the one that ran.
// A Fly token in the environment is never used: only the emulator is spoken to, on loopback.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pc from "picocolors";
import { readConfig } from "../../controller/config.ts";
import { type Flywheel, startFlywheel } from "../../controller/flywheel.ts";
import { systemClock } from "../../controller/kernel/clock.ts";
import { silentLog } from "../../controller/kernel/log.ts";
import { systemRandom } from "../../controller/kernel/random.ts";
import { INIT_PATH } from "../../crds/machine-files.ts";
import { type GitServer, serveGit } from "./git-server.ts";
import { filesBelow, processesMentioning } from "./leftovers.ts";

const CLI = fileURLToPath(new URL("../../dist/flywheel.cjs", import.meta.url));

const MANIFEST = `apiVersion: fly.lightfast.ai/v1
kind: Instance
metadata:
  name: dev-box
spec:
  image: ubuntu:22.04
  size: shared-cpu-1x
`;

const began = performance.now();
/** Ctrl-C ends the tour and not the cleaning up, however often it is handed on by npm and tsx. */
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => interrupted.abort(new Error(`${signal}: cleaning up`)));
process.exitCode = await main();

async function main(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "flywheel-demo-"));
  let git: GitServer | undefined;
  let flywheel: Flywheel | undefined;
  try {
    title("A Git repository with one commit, served by git's own server on loopback");
    git = await serveGit(join(folder, "git"));
    say(await git.log());

    title("A Flywheel server with the emulator: no account, temporary data");
    const server = await start(folder);
    flywheel = server;
    say(`server   ${server.url}\nemulator ${server.emulatorUrl}`);
    await tour(server, git, folder);

    title("Nothing is left");
    const machines = await server.liveMachines();
    await server.close();
    flywheel = undefined;
    await git.close();
    git = undefined;
    await rm(folder, { recursive: true, force: true });
    return verdict({ machines, processes: await processesMentioning(folder), files: await filesBelow(folder) });
  } catch (error) {
    const reason: unknown = interrupted.signal.aborted ? interrupted.signal.reason : error;
    say(pc.red(reason instanceof Error ? reason.message : String(reason)));
    return 1;
  } finally {
    await flywheel?.close();
    await git?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a user would type. */
async function tour(server: Flywheel, git: GitServer, folder: string): Promise<void> {
  const manifest = join(folder, "dev-box.yaml");
  await writeFile(manifest, MANIFEST);
  const cli = commandLine(server.url);

  title("A machine, from a manifest");
  say(pc.dim(MANIFEST.trimEnd()));
  await cli("apply", "-f", manifest);
  await cli("wait", "--for=condition=Ready", "instance/dev-box", "--timeout=30s");
  await cli("get", "instances");

  title("A command on it, over SSH");
  await cli("exec", "dev-box", "--", "uname", "-a");

  title("A workflow: clone the repository on a machine of its own, change it, commit, push");
  const changes = 'echo "written on $(hostname) by a workflow" >>notes.txt';
  await cli(
    "run",
    "git-clone-and-push",
    "-p",
    `repoUrl=${git.url}`,
    "-p",
    `changes=${changes}`,
    "-p",
    "wait=1s",
    "-p",
    "message=Add a note",
  );
  say(pc.dim("$ git log --stat   (in the repository that was served)"));
  const log = await git.log();
  say(log);
  if (!log.includes("Add a note")) throw new Error("the commit did not arrive");

  title("Delete everything");
  const running = (await processesMentioning(folder)).filter((each) => each.includes(INIT_PATH));
  if (existsSync("/proc") && running.length === 0)
    throw new Error("the look for processes does not see the machine that runs: its verdict would prove nothing");
  say(pc.dim(`${running.length} processes belong to the machine now`));
  await cli("delete", "instance", "dev-box");
  await cli("delete", "workflowruns", "--all");
}

async function start(folder: string): Promise<Flywheel> {
  // Of the caller's environment nothing is taken: the demo must not touch a real account.
  const config = readConfig({ PORT: "0", DATA_DIR: join(folder, "data"), OBSERVE_INTERVAL: "1s" });
  return startFlywheel({
    config,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    version: "demo",
    notice: say,
    keepMachines: false,
    fatal(error) {
      throw error;
    },
  });
}

function commandLine(url: string) {
  return (...args: readonly string[]): Promise<void> => {
    say(pc.cyan(`$ flywheel ${args.map(quoted).join(" ")}`));
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [CLI, ...args], {
        signal: interrupted.signal,
        stdio: ["ignore", "inherit", "inherit"],
        env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: process.env.TERM, FLYWHEEL_SERVER: url },
      });
      child.on("error", reject);
      child.on("exit", (code) =>
        code === 0 ? resolve() : reject(new Error(`flywheel ${args[0]} ended with ${code}`)),
      );
    });
  };
}

function verdict(left: {
  machines: readonly string[];
  processes: readonly string[];
  files: readonly string[];
}): number {
  for (const [what, items] of Object.entries(left))
    say(`${what.padEnd(10)} ${items.length === 0 ? pc.green("none") : pc.red(items.join(", "))}`);
  if (Object.values(left).some((items) => items.length > 0)) return 1;
  say(`\n${pc.green("Done")} in ${((performance.now() - began) / 1000).toFixed(1)} s. What to try next:

  npm start                                    a server that stays, with the emulator
  npx flywheel apply -f manifests/examples/    more manifests, in another terminal
  npx flywheel --help                          every command, with examples
  FLY_API_TOKEN=… FLY_ORG_SLUG=… npm start     the same on real Fly machines`);
  return 0;
}

function title(text: string): void {
  interrupted.signal.throwIfAborted();
  say(`\n${pc.bold(text)}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
