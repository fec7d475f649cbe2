// The `flywheel` command's edge to the process: streams, signals, time and the exit code.
import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runProgram } from "./program.ts";
import { type Terminal, wantsColors } from "./terminal.ts";

const interrupt = new AbortController();
process.on("SIGINT", () => {
  if (interrupt.signal.aborted) process.exit(130); // asked twice: whatever still runs is not worth the wait
  interrupt.abort(new Error("interrupted"));
});
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader has seen enough (`flywheel get … | head`).
    process.exit(error.code === "EPIPE" ? 0 : 1);
  });
}

const terminal: Terminal = {
  environment: process.env,
  colors: wantsColors(process.env, process.stdout.isTTY && process.stderr.isTTY),
  drained: () =>
    new Promise((resolve) => (process.stdout.writableNeedDrain ? process.stdout.once("drain", resolve) : resolve())),
  runServer: (args) =>
    new Promise((resolve, reject) => {
      // Beside this file, wherever a link to it stands.
      const program = join(dirname(realpathSync(process.argv[1] ?? "")), "main.js");
      const child = spawn(process.execPath, [program, ...args], { stdio: "inherit" });
      child.once("error", reject);
      child.once("exit", (code) => resolve(code ?? 1));
    }),
  write: (data) => void process.stdout.write(data),
  writeError: (data) => void process.stderr.write(data),
  note: (line) => void process.stderr.write(`${line}\n`),
  readStdin: async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString("utf8");
  },
  interrupted: interrupt.signal,
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, { signal });
  },
};

runProgram(process.argv.slice(2), terminal).then((exitCode) => {
  process.exitCode = exitCode;
});
