// A detached job on a machine, over any session that can run a command. The connection is only a viewer: losing it, or
// this process, neither ends the job nor doubles it. Each call is one round trip, and each may be repeated.
import { randomBytes } from "node:crypto";
import { assert, TransientError } from "../kernel/errors.ts";
import { JOB_CALL_TIMEOUT_MS, JOB_CHUNK_BYTES } from "../limits.ts";
import type { CommandResult } from "../transports/transport.ts";
import { TransportError } from "../transports/transport.ts";
import {
  bootScript,
  cancelScript,
  type JobCall,
  observeScript,
  releaseScript,
  startScript,
} from "./remote-job-script.ts";
import type { AttemptKey, ObserveOptions, Output, StartOptions, StepContext, StepObservation } from "./step.ts";

export interface RemoteJob {
  /** shell: bash -eo pipefail, else sh -e, in the run's directory. exec: sh -c in HOME. */
  readonly mode: "shell" | "exec";
  readonly script: string;
}

export async function bootIdOf(context: StepContext): Promise<string> {
  const call = callOf(context.key);
  const options = { stdin: Buffer.from(bootScript(call)), timeoutMs: JOB_CALL_TIMEOUT_MS };
  const result = await context.session.run("sh", options, context.signal);
  const reply = new RegExp(`^flywheel-${call.nonce} boot (\\S+)$`, "m").exec(
    Buffer.from(result.stdout).toString("utf8"),
  );
  if (reply?.[1] !== undefined) return reply[1];
  throw refusal(`ask for the boot of the machine of ${name(context.key)}`, result);
}

export async function startJob(context: StepContext, job: RemoteJob, options: StartOptions): Promise<StepObservation> {
  const call = callOf(context.key);
  const script = startScript(call, { ...job, ...options });
  return (await send(context, call, "start", script, JOB_CALL_TIMEOUT_MS)).observation;
}

export async function observeJob(
  context: StepContext,
  options: ObserveOptions,
): Promise<{ observation: StepObservation; output: readonly Output[] }> {
  const call = callOf(context.key);
  const script = observeScript(call, { ...options, maxBytes: JOB_CHUNK_BYTES });
  const reply = await send(context, call, "observe", script, JOB_CALL_TIMEOUT_MS + options.waitMs);
  const { body } = reply;
  if (body.length < reply.stdoutBytes + reply.stderrBytes) {
    throw new TransportError("lost", `observe ${name(context.key)}: the reply was cut off`);
  }
  const output: Output[] = [
    { stream: "stdout", offset: options.offsets.stdout, data: body.subarray(0, reply.stdoutBytes) },
    {
      stream: "stderr",
      offset: options.offsets.stderr,
      data: body.subarray(reply.stdoutBytes, reply.stdoutBytes + reply.stderrBytes),
    },
  ];
  return { observation: reply.observation, output: output.filter((each) => each.data.length > 0) };
}

export async function cancelJob(context: StepContext, graceMs: number): Promise<StepObservation> {
  const call = callOf(context.key);
  return (await send(context, call, "cancel", cancelScript(call, graceMs), JOB_CALL_TIMEOUT_MS)).observation;
}

export async function releaseJob(context: StepContext): Promise<void> {
  const call = callOf(context.key);
  await send(context, call, "release", releaseScript(call), JOB_CALL_TIMEOUT_MS);
}

interface Reply {
  readonly observation: StepObservation;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly body: Uint8Array;
}

async function send(
  context: StepContext,
  call: JobCall,
  verb: string,
  script: string,
  timeoutMs: number,
): Promise<Reply> {
  const result = await context.session.run(
    "sh",
    // A chunk of each stream, and room for the header and what a login shell says.
    { stdin: Buffer.from(script), timeoutMs, maxBytes: 3 * JOB_CHUNK_BYTES },
    context.signal,
  );
  const reply = parseReply(call.nonce, result.stdout);
  if (reply) return reply;
  throw refusal(`${verb} ${name(context.key)}`, result);
}

/** A login shell may print before us, so the header is looked for. */
export function parseReply(nonce: string, stdout: Uint8Array): Reply | undefined {
  const buffer = Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength);
  const begin = buffer.indexOf(`flywheel-${nonce} `);
  const end = begin < 0 ? -1 : buffer.indexOf("\n", begin);
  if (end < 0) return undefined;
  const header = buffer.toString("utf8", begin, end);
  const match = /^\S+ (\w+) (\d+|-) (\d+) (\d+) (.*)$/.exec(header);
  const observation = match && observationOf(match[1] ?? "", Number(match[2]), match[5] ?? "");
  if (!observation) throw new TransportError("lost", `the machine answered something else than a job: ${header}`);
  return {
    observation,
    stdoutBytes: Number(match[3]),
    stderrBytes: Number(match[4]),
    body: buffer.subarray(end + 1),
  };
}

function observationOf(state: string, exitCode: number, message: string): StepObservation | undefined {
  switch (state) {
    case "Absent":
    case "Running":
    case "Abandoned":
      return { state };
    case "Exited":
      return { state, exitCode };
    case "Lost":
      return { state, message };
    default:
      return undefined;
  }
}

function refusal(what: string, result: CommandResult): Error {
  if (result.exitCode === null) return new TransportError("lost", `${what}: a signal ended it`);
  const said = Buffer.from(result.stderr).toString("utf8").trim().slice(-500);
  return new TransientError(`${what}: the machine answered exit code ${result.exitCode}${said ? `: ${said}` : ""}`);
}

/** Uids and names as the schemas allow them: nothing that a path could take for something else. */
const PATH_SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

function callOf(key: AttemptKey): JobCall {
  assert(PATH_SEGMENT.test(key.run) && PATH_SEGMENT.test(key.step), `not a key of an attempt: ${name(key)}`);
  // Tells our reply from noise; nothing depends on its value.
  return { ...key, nonce: randomBytes(8).toString("hex") };
}

function name(key: AttemptKey): string {
  return `step ${key.run}/${key.step}, attempt ${key.attempt}`;
}
