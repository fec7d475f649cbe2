// The Machines API over HTTP, only the calls we make. What each failure means is decided in errors.ts; how often and how
// long a call is made, in call.ts. Source: Fly's OpenAPI description of the Machines API.
import { z } from "zod";
import { silentLog } from "../kernel/log.ts";
import { FLY_LIST_MAX_PAGES, FLY_WAIT_MAX_MS, FLY_WAIT_SLACK_MS } from "../limits.ts";
import { ensureApp } from "./apps.ts";
import type { Action } from "./budget.ts";
import {
  type Call,
  type Caller,
  type CallerOptions,
  caller,
  json,
  nothing,
  type Parse,
  path,
  unlessSame,
} from "./call.ts";
import { type ExecResult, type ListMachines, type Machines, MachinesError, type WaitState } from "./machines.ts";
import { patchMetadata } from "./metadata.ts";
import { type Machine, machine } from "./wire.ts";

export interface FlyMachinesOptions extends CallerOptions {
  /** Machines a page; absent: Fly gives all at once, and pages only when it wants to. */
  readonly listPageSize?: number | undefined;
}

export function flyMachines(options: FlyMachinesOptions): Machines {
  const call = caller(options);
  const log = options.log ?? silentLog;
  const parsePage = json((rows) =>
    parseList(rows, (problem) => log.warn({ problem }, "a machine in the list cannot be read and is left out")),
  );
  /** What is listed every few seconds, and for hours the same. */
  const parseSweep = unlessSame(parsePage);

  /** For the first page of a list, and for those after it. */
  function parsers({ includeDeleted, metadata }: ListMachines): readonly [Parse<Machine[]>, Parse<Machine[]>] {
    return [includeDeleted || metadata ? parsePage : parseSweep, parsePage];
  }

  /** A call that acts on one machine and whose status says it all. */
  const act = async (action: Action, app: string, id: string, signal: AbortSignal, body?: unknown): Promise<void> => {
    const what = `${action} machine ${id} in app "${app}"`;
    const verb = path`/apps/${app}/machines/${id}/${action}`;
    await call({ action, limitedBy: id, method: "POST", path: verb, what, body }, nothing, signal);
  };

  return {
    ensureApp: (app, organization, signal) => ensureApp(call, options.clock, app, organization, signal),

    list: (app, filter, signal) => list(call, app, filter, options.listPageSize, parsers(filter), signal),

    async get(app, id, signal) {
      const what = `get machine ${id} in app "${app}"`;
      const where = path`/apps/${app}/machines/${id}`;
      return (await call({ action: "get", limitedBy: id, method: "GET", path: where, what }, parseMachine, signal))
        .value;
    },

    async create(app, request, signal) {
      const what = `create machine "${request.name}" in app "${app}" (${request.region})`;
      const body = {
        name: request.name,
        region: request.region,
        config: request.config,
        ...(request.skipLaunch ? { skip_launch: true } : {}),
      };
      const where = path`/apps/${app}/machines`;
      const answer = await call(
        { action: "create", limitedBy: app, method: "POST", path: where, what, body, beforeSend: request.beforeSend },
        parseMachine,
        signal,
      );
      return answer.value;
    },

    async update(app, id, request, signal) {
      const what = `update machine ${id} in app "${app}"`;
      const body = {
        config: request.config,
        ...(request.currentVersion === undefined ? {} : { current_version: request.currentVersion }),
        ...(request.skipLaunch ? { skip_launch: true } : {}),
      };
      const where = path`/apps/${app}/machines/${id}`;
      const answer = await call(
        { action: "update", limitedBy: id, method: "POST", path: where, what, body },
        parseMachine,
        signal,
      );
      return answer.value;
    },

    start: (app, id, signal) => act("start", app, id, signal),
    stop: (app, id, signal) => act("stop", app, id, signal, {}),
    suspend: (app, id, signal) => act("suspend", app, id, signal),

    async destroy(app, id, signal) {
      const what = `destroy machine ${id} in app "${app}"`;
      const where = path`/apps/${app}/machines/${id}`;
      const query = [["force", "true"]] satisfies Call["query"];
      await unlessGone(
        call({ action: "delete", limitedBy: id, method: "DELETE", path: where, query, what }, nothing, signal),
      );
    },

    wait: (app, id, state, timeoutMs, signal) => wait(call, app, id, state, timeoutMs, signal),
    exec: (app, id, command, timeoutMs, signal) => exec(call, app, id, command, timeoutMs, signal),
    patchMetadata: (app, id, metadata, signal) => patchMetadata(call, app, id, metadata, signal),
  };
}

/** Follows the cursor to the end. Pages may be short or empty mid-way; a machine seen twice counts once, as seen last. */
async function list(
  call: Caller,
  app: string,
  filter: ListMachines,
  pageSize: number | undefined,
  [parseFirst, parseNext]: readonly [Parse<Machine[]>, Parse<Machine[]>],
  signal: AbortSignal,
): Promise<readonly Machine[]> {
  const what = `list machines in app "${app}"`;
  const where = path`/apps/${app}/machines`;
  const fixed: [string, string][] = Object.entries(filter.metadata ?? {}).map(([k, v]) => [`metadata.${k}`, v]);
  if (filter.includeDeleted) fixed.push(["include_deleted", "true"]);
  if (pageSize !== undefined) fixed.push(["limit", String(pageSize)]);
  const found = new Map<string, Machine>();
  let cursor: string | undefined;
  for (let page = 0; page < FLY_LIST_MAX_PAGES; page += 1) {
    const query: Call["query"] = cursor === undefined ? fixed : [...fixed, ["cursor", cursor]];
    const parse = cursor === undefined ? parseFirst : parseNext;
    const request: Call = { action: "list", limitedBy: app, method: "GET", path: where, query, what };
    const { value, headers } = await call(request, parse, signal);
    for (const each of value) found.set(each.id, each);
    const next = headers["fly-next-cursor"];
    if (!next) return [...found.values()];
    if (next === cursor) break;
    cursor = next;
  }
  throw new MachinesError("down", `${what}: the pages go in circles after ${found.size} machines`);
}

/** Not reached in time is an answer, not an error. Sent once: the caller comes back anyway. */
async function wait(
  call: Caller,
  app: string,
  id: string,
  state: WaitState,
  askedMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const seconds = Math.ceil(Math.min(Math.max(askedMs, 1000), FLY_WAIT_MAX_MS) / 1000);
  const request: Call = {
    action: "wait",
    limitedBy: id,
    method: "GET",
    path: path`/apps/${app}/machines/${id}/wait`,
    query: [
      ["state", state],
      ["timeout", String(seconds)],
    ],
    what: `wait for machine ${id} in app "${app}" to be ${state}`,
    timeoutMs: seconds * 1000 + FLY_WAIT_SLACK_MS,
    attempts: 1,
  };
  try {
    await call(request, nothing, signal);
    return true;
  } catch (error) {
    if (!(error instanceof MachinesError)) throw error;
    if (error.status === 408) return false;
    if (error.class === "gone" && state === "destroyed") return true;
    throw error;
  }
}

/** A proto reply omits zeros, so an absent exit code is 0; a signal is reported as shells do, 128 and its number. */
const execReply = z
  .looseObject({
    exit_code: z.number().default(0),
    exit_signal: z.number().default(0),
    stdout: z.string().default(""),
    stderr: z.string().default(""),
  })
  .transform(
    (reply): ExecResult => ({
      exitCode: reply.exit_code === 0 && reply.exit_signal > 0 ? 128 + reply.exit_signal : reply.exit_code,
      stdout: reply.stdout,
      stderr: reply.stderr,
    }),
  );

async function exec(
  call: Caller,
  app: string,
  id: string,
  command: readonly string[],
  askedMs: number,
  signal: AbortSignal,
): Promise<ExecResult> {
  const seconds = Math.ceil(Math.min(Math.max(askedMs, 1000), FLY_WAIT_MAX_MS) / 1000);
  const request: Call = {
    action: "exec",
    limitedBy: id,
    method: "POST",
    path: path`/apps/${app}/machines/${id}/exec`,
    body: { command, timeout: seconds },
    what: `run a command on machine ${id} in app "${app}"`,
    timeoutMs: seconds * 1000 + FLY_WAIT_SLACK_MS,
  };
  return (
    await call(
      request,
      json((reply) => execReply.parse(reply)),
      signal,
    )
  ).value;
}

const parseMachine = json((reply) => machine.parse(reply));

/** One machine that cannot be read must not blind us to the others: absence from a list proves nothing anyway. */
function parseList(reply: unknown, unreadable: (problem: string) => void): Machine[] {
  const rows = z.array(z.unknown()).parse(reply ?? []);
  const parsed = rows.map((row) => machine.safeParse(row));
  const machines = parsed.flatMap((each) => (each.success ? [each.data] : []));
  const problems = parsed.flatMap((each) => (each.success ? [] : [z.prettifyError(each.error)]));
  if (machines.length === 0 && problems[0] !== undefined) throw new Error(problems[0]);
  for (const problem of problems) unreadable(problem);
  return machines;
}

async function unlessGone(result: Promise<unknown>): Promise<void> {
  try {
    await result;
  } catch (error) {
    if (!(error instanceof MachinesError) || error.class !== "gone") throw error;
  }
}
