// How the processes of a machine are kept apart from this computer.
import type { GuestSpec } from "../guest.ts";
import type { MachineDirectory } from "./directory.ts";

export interface Launch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface Sandbox {
  readonly name: "bubblewrap" | "plain";
  /** Puts into the root what the sandbox itself needs; called at every boot, before the files of the configuration. */
  prepare(directory: MachineDirectory, spec: GuestSpec): Promise<void>;
  /** What the keeper runs: the main process with its sandbox around it. */
  boot(directory: MachineDirectory, spec: GuestSpec): Promise<Launch>;
  /** How many processes stand between the keeper and the main process. */
  readonly layers: number;
  /** True once commands can enter. */
  isUp(directory: MachineDirectory): Promise<boolean>;
  /** A command beside the main process, in the same sandbox. */
  enter(directory: MachineDirectory, spec: GuestSpec, argv: readonly string[]): Promise<Launch>;
  /** True when the command itself is the one child of the process that was launched by `enter`. */
  readonly enterForks: boolean;
}

export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Tells an init that sshd is not its business here: the emulator serves SSH itself. */
export const SSH_PROVIDED = "/.fly/ssh-provided";
