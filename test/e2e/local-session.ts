// A machine that is a folder of this computer: commands run here, with a shell, home and boot file of their own.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Session } from "../../controller/transports/transport.ts";

export interface LocalMachine {
  readonly folder: string;
  readonly root: string;
  session(): Session;
  /** What a reboot changes. Processes are left alone: they have no one to end them here. */
  reboot(): void;
  remove(): void;
}

export interface Shell {
  readonly name: string;
  readonly path: string;
  /** All commands come from this busybox, and nothing else is there. */
  readonly busybox?: boolean;
}

/** The shells that this computer has. */
export function shells(): readonly Shell[] {
  const busybox = ["/bin/busybox", "/usr/bin/busybox", process.env.BUSYBOX ?? ""].find(
    (path) => path !== "" && existsSync(path),
  );
  const plain = ["dash", "bash", "mksh"].flatMap((name) => {
    const path = [`/bin/${name}`, `/usr/bin/${name}`].find((each) => existsSync(each));
    return path ? [{ name, path }] : [];
  });
  return busybox ? [...plain, { name: "busybox ash", path: busybox, busybox: true }] : plain;
}

const APPLETS =
  "sh cat wc tail head mkdir rm mv ln sleep setsid base64 find stat date tr ps kill rmdir printf id env seq true touch ls grep dd";

export function localMachine(shell?: Shell): LocalMachine {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-job-"));
  const bin = join(folder, "bin");
  const root = join(folder, "var/lib/flywheel");
  const home = join(folder, "home");
  for (const each of [bin, root, home, join(folder, "run/flywheel")]) mkdirSync(each, { recursive: true });
  if (shell?.busybox) for (const name of APPLETS.split(" ")) symlinkSync(shell.path, join(bin, name));
  else if (shell) symlinkSync(shell.path, join(bin, "sh"));
  let boot = 1;
  const reboot = () => writeFileSync(join(folder, "run/flywheel/boot"), `boot-${boot++}\n`);
  reboot();
  const env = {
    PATH: shell?.busybox ? bin : `${bin}:${process.env.PATH}`,
    HOME: home,
    FLY_ROOT: folder,
  };
  return {
    folder,
    root,
    session: () => ({ transport: "SSH", run: (...call) => runWith([], env, ...call), close: () => {} }),
    reboot,
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** Runs a command as a session does. `enter` stands before it and takes it to where it should run. */
export function runWith(
  enter: readonly string[],
  env: Record<string, string>,
  ...[command, options, signal]: Parameters<Session["run"]>
): ReturnType<Session["run"]> {
  return new Promise((resolve, reject) => {
    const [program = "sh", ...words] = [...enter, "sh", "-c", command];
    const child = spawn(program, words, { env, signal, timeout: options.timeoutMs });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (data: Buffer) => stdout.push(data));
    child.stderr.on("data", (data: Buffer) => stderr.push(data));
    child.on("error", reject);
    child.on("close", (exitCode) =>
      resolve({ exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) }),
    );
    child.stdin.on("error", () => undefined); // it ended before it read everything; its exit code tells
    child.stdin.end(options.stdin);
  });
}
