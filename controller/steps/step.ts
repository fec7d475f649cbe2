// What a step may be. A runner starts something detached that outlives the connection and the controller, finds it
// again by its key, and can cancel it. Starting twice under one key is starting once.
import type { z } from "zod";
import type { Session } from "../transports/transport.ts";

/** Names one try; also the directory of the job on the machine. */
export interface AttemptKey {
  /** Uid of the run or execution. */
  readonly run: string;
  readonly step: string;
  /** From 1. */
  readonly attempt: number;
}

export type StepObservation =
  /** Nobody has started this attempt. */
  | { readonly state: "Absent" }
  | { readonly state: "Running" }
  | { readonly state: "Exited"; readonly exitCode: number }
  /** Cancelled, or abandoned before it began; nothing of it runs. */
  | { readonly state: "Abandoned" }
  /** Was started and is neither running nor finished: another boot, or its directory is gone. */
  | { readonly state: "Lost"; readonly message: string };

export interface Output {
  readonly stream: "stdout" | "stderr";
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface ObserveOptions {
  /** Bytes already held of each stream. */
  readonly offsets: { readonly stdout: number; readonly stderr: number };
  /** Let the machine answer only when something changed, or after this long. */
  readonly waitMs: number;
}

export interface StepContext {
  readonly session: Session;
  readonly key: AttemptKey;
  readonly signal: AbortSignal;
}

export interface StartOptions {
  readonly environment: Readonly<Record<string, string>>;
  /**
   * The boot that this attempt was committed to. A machine of any other boot answers Lost instead of starting: a start
   * whose reply was lost may have run before it booted again, and left no trace.
   */
  readonly bootId: string;
}

export interface StepRunner<Input> {
  readonly uses: string;
  readonly input: z.ZodType<Input>;
  /** Names the machine's current boot: the same as long as it runs, over suspends too, and never again. */
  bootId(context: StepContext): Promise<string>;
  start(context: StepContext, input: Input, options: StartOptions): Promise<StepObservation>;
  observe(
    context: StepContext,
    options: ObserveOptions,
  ): Promise<{ observation: StepObservation; output: readonly Output[] }>;
  /**
   * Asks the whole process group to end: TERM, after `graceMs` KILL. An attempt that has not begun never will. Does not
   * wait for the end: Running means that it is on its way.
   */
  cancel(context: StepContext, graceMs: number): Promise<StepObservation>;
  /** Frees what an attempt that is over keeps on the machine. What it was stays known, so it never begins again. */
  release(context: StepContext): Promise<void>;
}
