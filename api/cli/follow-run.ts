// A run as it happens: its states from a watch, its output from the log stream, brought into one order in which what
// a step wrote comes before the line that says how it ended.
import { ConnectionError, Failure } from "./failure.ts";
import { findResource } from "./resources.ts";
import { createLogPrinter, type LogPrinter, readLogs } from "./run-logs.ts";
import { type Progress, progressBetween, type Run, summaryOf, type Verdict, verdictOf } from "./run-object.ts";
import type { Session } from "./session.ts";
import { paintFor } from "./terminal.ts";
import { followObject } from "./watch.ts";

/** After the run has finished the server ends the log stream by itself; one that hangs is not waited for. */
const DRAIN_MS = 5000;

/** Resolves when the run has finished and its output has been shown. */
export async function followRun(session: Session, name: string): Promise<Verdict> {
  const { terminal } = session;
  const printer = createLogPrinter((data) => terminal.write(data), true);
  const done = new AbortController();
  const logs = showLogs(session, name, printer, AbortSignal.any([done.signal, terminal.interrupted]));
  try {
    const { run, verdict } = await showProgress(session, name, printer, terminal.interrupted);
    const limit = new AbortController();
    await Promise.race([logs, terminal.sleep(DRAIN_MS, limit.signal).catch(() => undefined)]); // the sleep is cut short
    limit.abort();
    printer.flush();
    const paint = paintFor(terminal);
    terminal.note((verdict === "succeeded" ? paint.green : paint.red)(summaryOf(run, verdict)));
    return verdict;
  } finally {
    done.abort();
    await logs;
  }
}

/** Whether it ends early is no failure of the run: what it has not brought is fetched when a step ends. */
async function showLogs(session: Session, name: string, printer: LogPrinter, signal: AbortSignal): Promise<void> {
  try {
    for await (const chunk of readLogs(session, name, { follow: true }, signal)) printer.print(chunk);
  } catch (error) {
    if (!signal.aborted && !(error instanceof Failure)) throw error;
  }
}

async function showProgress(session: Session, name: string, printer: LogPrinter, signal: AbortSignal) {
  const type = findResource("workflowruns", await session.kinds());
  let before: Run | undefined;
  for await (const object of followObject(session, type, name, session.namespace, signal)) {
    if (!object)
      throw new Failure(`workflowrun/${name} ${before ? "was deleted, which cancels it" : "does not exist"}`);
    // The server keeps objects of this kind to its schema.
    const run = object as unknown as Run;
    for (const change of progressBetween(before, run)) {
      if (change.step !== undefined && change.ended) await catchUp(session, run, change.step, printer);
      session.terminal.note(progressLine(session, change));
    }
    before = run;
    const verdict = verdictOf(run);
    if (verdict) return { run, verdict };
  }
  throw new ConnectionError(`the watch of workflowrun/${name} ended`);
}

/** What the attempt that just ended wrote and the live stream has not brought yet. */
async function catchUp(session: Session, run: Run, step: string, printer: LogPrinter): Promise<void> {
  const attempt = run.status?.steps?.find(({ name }) => name === step)?.attempts ?? 1;
  for (const stream of ["stdout", "stderr"] as const) {
    const query = { step, stream, offset: printer.shown(step, attempt, stream) };
    try {
      for await (const chunk of readLogs(session, run.metadata.name, query, session.terminal.interrupted)) {
        if (chunk.attempt === attempt) printer.print(chunk); // the offset is this attempt's
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      session.terminal.note(`[${step}] its ${stream} cannot be read now: ${error.message}`);
    }
  }
  printer.flush(step);
}

function progressLine(session: Session, { step, text, tone }: Progress): string {
  const paint = paintFor(session.terminal);
  const shown = tone === "good" ? paint.green(text) : tone === "bad" ? paint.red(text) : text;
  return step === undefined ? paint.dim(shown) : `${paint.bold(`[${step}]`)} ${shown}`;
}
