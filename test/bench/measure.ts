// What every measurement gets, and what it gives.
import type { Options } from "./options.ts";
import type { Processes } from "./processes.ts";
import type { Scope } from "./scope.ts";

export interface Bench {
  readonly processes: Processes;
  /** Of its own, empty, and removed afterwards. */
  readonly folder: string;
  readonly options: Options;
  /** What it starts ends with it. */
  readonly scope: Scope;
  say(line: string): void;
}

export interface Figure {
  readonly value: unknown;
  readonly target: unknown;
  readonly ok: boolean;
  /** How it was measured, and what it is made of. */
  readonly detail: Readonly<Record<string, unknown>>;
}
