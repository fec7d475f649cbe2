// The machine's init in the shells that images have.
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { machineInit } from "../../controller/reconcilers/machine-init.ts";

const run = promisify(execFile);

const SHELLS: readonly (readonly string[])[] = [["sh"], ["bash", "--posix"], ["busybox", "sh"]];

function isHere(command: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${command}`], { stdio: "ignore" });
    return true;
  } catch (error) {
    process.stderr.write(`skipped: ${command} is not on this machine (${String(error).split("\n")[0]})\n`);
    return false;
  }
}

describe.each(SHELLS)("%s", (...shell) => {
  const [command = "sh", ...flags] = shell;
  test.skipIf(!isHere(command)).each([true, false])("reads it (own command: %s)", async (ownCommand) => {
    const script = machineInit({ sshPort: 2222, ownCommand });
    await expect(run(command, [...flags, "-n", "-c", script])).resolves.toMatchObject({ stderr: "" });
  });
});

test.each(["/bin/sh", "/bin/bash"])("a machine on which nothing can be started ends, in %s", async (shell) => {
  const script = machineInit({ sshPort: 2222, ownCommand: false });
  const last = script.slice(script.lastIndexOf("while :; do"));
  const nothingThere = { env: { PATH: "/nonexistent" }, timeout: 10_000 };
  await expect(run(shell, ["-c", last], nothingThere)).rejects.toMatchObject({ code: 1, killed: false });
});
