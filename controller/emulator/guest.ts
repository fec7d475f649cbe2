// What a started machine really is: processes on this computer, or nothing but an answer in a simulation. The cloud
// knows guests only through this.
import type { MachineConfig } from "../machines/wire.ts";

export interface GuestSpec {
  readonly id: string;
  readonly app: string;
  readonly name: string;
  readonly region: string;
  readonly version: string;
  readonly privateIp: string;
  readonly config: MachineConfig;
  /** The main process. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Begin with an empty root file system. */
  readonly freshRoot: boolean;
}

export interface GuestExit {
  readonly code: number;
  readonly signal: number;
}

export interface ExecOutcome extends GuestExit {
  readonly stdout: string;
  readonly stderr: string;
}

export interface GuestProcess {
  readonly pid: number;
  readonly command: string;
  readonly rssKb: number;
}

export interface Guest {
  /** Resolves when the main process has ended, for whatever reason. */
  readonly exited: Promise<GuestExit>;
  /** Runs `command` beside the main process; what it leaves in the background stays. The signal ends it. */
  exec(command: readonly string[], stdin: string, signal: AbortSignal): Promise<ExecOutcome>;
  /** To the main process. */
  signal(name: string): Promise<void>;
  /** Ends every process; resolves when none is left. */
  kill(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  processes(): Promise<readonly GuestProcess[]>;
}

export interface Guests {
  /** Rejects with BootError when the machine cannot run. */
  boot(spec: GuestSpec, signal: AbortSignal): Promise<Guest>;
  /** What is left of a guest that an earlier emulator booted: itself, how it ended, or nothing. */
  adopt(spec: GuestSpec, frozen: boolean): Promise<Guest | GuestExit | undefined>;
  /** Removes the machine's files. */
  wipe(id: string): Promise<void>;
  /** Lets go of all guests; with `kill`, ends each that is still there. */
  close(kill: boolean): Promise<void>;
}

export class BootError extends Error {
  override readonly name = "BootError";
}
