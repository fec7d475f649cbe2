// A bare Debian or Ubuntu in a folder, with processes and mounts of its own, as a machine from a stock image. Needs root,
// debootstrap and the package mirror that this computer uses; where one is missing, the reason is told.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Session } from "../../controller/transports/transport.ts";
import { runWith } from "./local-session.ts";
import { until } from "./program.ts";

const run = promisify(execFile);

export interface DebianRoot {
  readonly path: string;
  readonly session: Session;
  /** Ends everything in it and removes it. */
  close(): Promise<void>;
}

/** The reason why there is none, as text. */
export async function debianRoot(): Promise<DebianRoot | string> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "a root for debootstrap needs Linux and root";
  const folder = mkdtempSync(join(tmpdir(), "flywheel-debian-"));
  const path = join(folder, "root");
  try {
    await bootstrap(path);
    const machine = await boot(path);
    return {
      path,
      session: { transport: "SSH", run: (...call) => runWith(machine.enter, ENVIRONMENT, ...call), close: () => {} },
      async close() {
        await machine.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return error instanceof Error ? error.message : String(error);
  }
}

const ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" };

/** With apt configured as it is here, so that what this computer can install, it can. */
async function bootstrap(path: string): Promise<void> {
  const targets = await run("apt-get", ["indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"]);
  const [mirror, suite] = targets.stdout.trim().split("\n")[0]?.split(" ") ?? [];
  if (!mirror || !suite) throw new Error("apt has no package mirror here");
  await run("debootstrap", ["--variant=minbase", suite, path, mirror], { timeout: 300_000, maxBuffer: 1e8 });
  for (const file of ["/etc/apt/apt.conf", "/etc/apt/apt.conf.d", "/etc/resolv.conf", "/etc/hosts"]) {
    if (existsSync(file)) cpSync(file, join(path, file), { recursive: true, dereference: true });
  }
  mkdirSync(join(path, "run/flywheel"), { recursive: true });
}

interface Booted {
  /** What stands before a command to run it inside. */
  readonly enter: readonly string[];
  close(): Promise<void>;
}

/** Its first process holds the namespaces; when that ends, all that is in them ends, mounts too. */
async function boot(path: string): Promise<Booted> {
  const init =
    "mount -t proc proc /proc && cat /proc/sys/kernel/random/uuid > /run/flywheel/boot; while :; do sleep 1; done";
  const holder = spawn("unshare", ["--mount", "--pid", "--fork", "--kill-child", "chroot", path, "sh", "-c", init], {
    stdio: "ignore",
    env: ENVIRONMENT,
  });
  await until("the root is up", () => existsSync(join(path, "run/flywheel/boot")));
  const first = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").trim();
  return {
    enter: ["nsenter", "--target", first, "--mount", "--pid", "chroot", path],
    close: () => ended(holder),
  };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
