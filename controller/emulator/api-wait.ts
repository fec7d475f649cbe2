// The two calls that last: waiting for a state, and running a command.
import type { Context } from "hono";
import { TimeoutError, withTimeout } from "../kernel/clock.ts";
import { PHASES } from "../machines/model.ts";
import { failed, refused } from "./api-error.ts";
import { execMachine, parseBody } from "./api-requests.ts";
import type { Cloud } from "./cloud.ts";
import type { ExecOutcome } from "./guest.ts";
import type { MachineRecord } from "./machine-record.ts";

const DEFAULT_WAIT_S = 60;

/** Blocks for the whole timeout when the state is not reached, then answers 408. */
export async function waitForMachine(cloud: Cloud, record: MachineRecord, c: Context): Promise<Response> {
  const states = (c.req.queries("state") ?? ["started"]).flatMap((each) => each.split(","));
  const seconds = Number((c.req.query("timeout") ?? String(DEFAULT_WAIT_S)).replace(/s$/, ""));
  if (!(seconds >= 1 && seconds <= 60)) {
    throw refused("invalid_argument", "invalid WaitMachineRequest.Timeout: value must be inside range [1s, 1m0s]");
  }
  const version = c.req.query("version") ?? c.req.query("instance_id");
  if (version !== undefined && !record.versions.some((each) => each.version === version)) {
    throw failed(404, "machine version not found");
  }
  const replaced = version !== undefined && version !== record.version;
  const reached = await withTimeout(cloud.clock, seconds * 1000, "wait", c.req.raw.signal, (signal) =>
    cloud.waitFor(record, replaced ? ["replaced"] : states, signal),
  );
  const state = PHASES[record.phase].shown;
  if (reached) return c.json({ ok: true, state, event_id: record.events[0]?.id ?? "", version: record.version });
  if (state === "destroyed") throw failed(404, "machine not found");
  const current = replaced ? "replaced" : state;
  throw refused(
    "deadline_exceeded",
    `machine failed to reach desired state, ${states.join(",")}, currently ${current}`,
  );
}

/** 200 whatever the command's exit code; no shell stands between the words of `cmd`. */
export async function runOnMachine(cloud: Cloud, record: MachineRecord, c: Context): Promise<unknown> {
  const request = await parseBody(c, execMachine);
  const command = request.command ?? request.cmd?.split(/\s+/).filter((word) => word !== "") ?? [];
  if (command.length === 0) throw refused("invalid_argument", "command is required");
  const guest = cloud.requireStarted(record, "exec");
  const timeoutMs = Math.min((request.timeout ?? 0) * 1000 || cloud.knobs.execMaxMs, cloud.knobs.execMaxMs);
  const stdin = cloud.faults.execStdin ? (request.stdin ?? "") : "";
  const gone = c.req.raw.signal; // the caller hangs up
  let outcome: ExecOutcome;
  try {
    outcome = await withTimeout(cloud.clock, timeoutMs, "exec", gone, (signal) => guest.exec(command, stdin, signal));
  } catch (error) {
    if (!(error instanceof TimeoutError || gone.aborted)) throw error;
    throw refused("deadline_exceeded", `Post "http://unix/v1/exec": context deadline exceeded`);
  }
  // How the command would have ended is not known then, and must not be taken for its result.
  if (record.phase !== "started") throw refused("unavailable", "the machine stopped while the command ran");
  return {
    exit_code: outcome.code,
    exit_signal: outcome.signal,
    stdout: outcome.stdout,
    stderr: outcome.stderr,
  };
}
