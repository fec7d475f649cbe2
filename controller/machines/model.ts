// The life of a Fly machine as data: which command is legal when, what follows by itself, what becomes of its disk.
// Pure; the emulator runs it on real time with real processes, a simulation on virtual time without any.
// Source: Fly's documentation of machine states and restart policies, and what its API was seen to answer.

/** What the API shows as `state`. */
export type MachineState =
  | "created"
  | "starting"
  | "started"
  | "restarting"
  | "stopping"
  | "stopped"
  | "suspending"
  | "suspended"
  | "replacing"
  | "failed"
  | "destroying"
  | "destroyed";

/** A state, or one of the situations that the API shows under another state's name. */
export type Phase =
  | MachineState
  /** created with skip_launch: shown as created until it settles as stopped */
  | "parked"
  /** waking from suspend: shown as starting */
  | "resuming"
  /** the moment of an update in which the old version is down: shown as stopped */
  | "relaunching"
  /** updated with skip_launch: shown as replacing, ends stopped */
  | "swapping"
  /** down until the restart policy boots it again: shown as restarting */
  | "recovering";

/** What has to happen to the guest while a phase settles. */
export type Work = "boot" | "thaw" | "halt" | "freeze" | "wipe" | "none";

/** Every duration of a machine's life that a profile sets. */
export type Delay =
  | "create"
  | "park"
  | "start"
  | "resume"
  | "stop"
  | "suspend"
  | "replace"
  | "relaunch"
  | "recover"
  | "destroy";

export interface MachineEventKind {
  readonly type: string;
  readonly status: string;
  readonly source: "user" | "flyd";
}

interface PhaseRule {
  readonly shown: MachineState;
  /** What the machine's history says when the phase is entered. */
  readonly event?: MachineEventKind;
  /** Absent for phases that last until a command or an exit. */
  readonly settles?: { readonly after: Delay; readonly work: Work; readonly to: Phase };
}

const user = (type: string, status: string): MachineEventKind => ({ type, status, source: "user" });
const flyd = (type: string, status: string): MachineEventKind => ({ type, status, source: "flyd" });

export const PHASES: Readonly<Record<Phase, PhaseRule>> = {
  created: {
    shown: "created",
    event: user("launch", "created"),
    settles: { after: "create", work: "boot", to: "started" },
  },
  parked: {
    shown: "created",
    event: user("launch", "created"),
    settles: { after: "park", work: "none", to: "stopped" },
  },
  starting: {
    shown: "starting",
    event: user("start", "starting"),
    settles: { after: "start", work: "boot", to: "started" },
  },
  resuming: {
    shown: "starting",
    event: user("start", "starting"),
    settles: { after: "resume", work: "thaw", to: "started" },
  },
  started: { shown: "started", event: flyd("start", "started") },
  restarting: {
    shown: "restarting",
    event: user("restart", "restarting"),
    settles: { after: "stop", work: "halt", to: "starting" },
  },
  recovering: { shown: "restarting", settles: { after: "recover", work: "boot", to: "started" } },
  stopping: {
    shown: "stopping",
    event: user("stop", "stopping"),
    settles: { after: "stop", work: "halt", to: "stopped" },
  },
  stopped: { shown: "stopped" },
  suspending: {
    shown: "suspending",
    event: user("suspend", "suspending"),
    settles: { after: "suspend", work: "freeze", to: "suspended" },
  },
  suspended: { shown: "suspended", event: flyd("suspend", "suspended") },
  replacing: {
    shown: "replacing",
    event: user("update", "replacing"),
    settles: { after: "replace", work: "halt", to: "relaunching" },
  },
  relaunching: { shown: "stopped", settles: { after: "relaunch", work: "boot", to: "started" } },
  swapping: {
    shown: "replacing",
    event: user("update", "replacing"),
    settles: { after: "replace", work: "halt", to: "stopped" },
  },
  failed: { shown: "failed", event: flyd("launch", "failed") },
  destroying: {
    shown: "destroying",
    event: user("destroy", "destroying"),
    settles: { after: "destroy", work: "wipe", to: "destroyed" },
  },
  destroyed: { shown: "destroyed", event: flyd("destroy", "destroyed") },
};

export type Command =
  | "start"
  | "stop"
  | "suspend"
  | "restart"
  | "update"
  | "swap"
  | "destroy"
  | "force-destroy"
  | "exec"
  | "signal";

/** Where a command leads from a phase. Leading to the same phase means that it is accepted and changes nothing. */
const MOVES: Readonly<Record<Command, Partial<Record<Phase, Phase>>>> = {
  start: { stopped: "starting", failed: "starting", suspended: "resuming", started: "started", starting: "starting" },
  stop: {
    started: "stopping",
    starting: "stopping",
    resuming: "stopping",
    recovering: "stopping",
    restarting: "stopping",
    stopping: "stopping",
    stopped: "stopped",
    suspended: "stopping",
    failed: "failed",
  },
  suspend: { started: "suspending", suspending: "suspending", suspended: "suspended" },
  restart: { started: "restarting", restarting: "restarting", stopped: "starting" },
  update: {
    started: "replacing",
    stopped: "replacing",
    suspended: "replacing",
    failed: "replacing",
    created: "replacing",
    parked: "replacing",
  },
  swap: {
    started: "swapping",
    stopped: "swapping",
    suspended: "swapping",
    failed: "swapping",
    created: "swapping",
    parked: "swapping",
  },
  destroy: {
    stopped: "destroying",
    suspended: "destroying",
    failed: "destroying",
    destroying: "destroying",
    destroyed: "destroyed",
  },
  "force-destroy": {
    created: "destroying",
    parked: "destroying",
    starting: "destroying",
    resuming: "destroying",
    started: "destroying",
    restarting: "destroying",
    recovering: "destroying",
    stopping: "destroying",
    stopped: "destroying",
    suspending: "destroying",
    suspended: "destroying",
    replacing: "destroying",
    relaunching: "destroying",
    swapping: "destroying",
    failed: "destroying",
    destroying: "destroying",
    destroyed: "destroyed",
  },
  exec: { started: "started" },
  signal: { started: "started" },
};

export type Decision =
  | { readonly allowed: true; readonly to: Phase }
  | { readonly allowed: false; readonly code: "failed_precondition" | "aborted"; readonly message: string };

/**
 * `quietMs` is how long the machine has been stopped and `quietNeededMs` how long its host goes on holding it: a start
 * in between is refused although the state says stopped.
 */
export function decide(
  command: Command,
  phase: Phase,
  quiet: { readonly quietMs: number; readonly quietNeededMs: number } = { quietMs: 0, quietNeededMs: 0 },
): Decision {
  const to = MOVES[command][phase];
  if (to === undefined) return refusal(command, phase);
  if (command === "start" && phase === "stopped" && quiet.quietMs < quiet.quietNeededMs) {
    return { allowed: false, code: "failed_precondition", message: "machine still active, refusing to start" };
  }
  return { allowed: true, to };
}

function refusal(command: Command, phase: Phase): Decision {
  const refuse = (message: string): Decision => ({ allowed: false, code: "failed_precondition", message });
  const state = PHASES[phase].shown;
  if (command === "destroy") return refuse("unable to destroy machine, not currently stopped");
  if (command === "exec" || command === "signal") return refuse(`machine is not started, currently ${state}`);
  if (command === "start" && phase === "relaunching") return refuse("machine getting replaced, refusing to start");
  if ((command === "update" || command === "swap") && state === "replacing") {
    return { allowed: false, code: "aborted", message: "machine update failed due to concurrent update" };
  }
  return refuse(`unable to ${command === "swap" ? "update" : command} machine from current state: '${state}'`);
}

/** States in which a machine rests until somebody acts: what `wait?state=settled` waits for. */
export function isSettled(phase: Phase): boolean {
  return PHASES[phase].settles === undefined;
}

export interface RestartRule {
  readonly policy?: string | undefined;
  readonly max_retries?: number | undefined;
}

/** Restarts count within this window. */
export const RESTART_WINDOW_MS = 5 * 60_000;
const DEFAULT_RETRIES = 10;

/** Where a machine goes when its main process ended by itself. `restarts` are those within the window. */
export function afterExit(
  exitCode: number,
  restarts: number,
  rule: RestartRule | undefined,
  autoDestroy: boolean,
): "stopped" | "recovering" | "destroying" {
  if (autoDestroy) return "destroying";
  const policy = rule?.policy ?? "on-failure";
  if (policy === "always") return "recovering";
  const retries = rule?.max_retries ?? DEFAULT_RETRIES;
  return policy === "on-failure" && exitCode !== 0 && restarts < retries ? "recovering" : "stopped";
}

/** Whether the root file system is still there after the machine was down. A resume never asks. */
export function keepsRootfs(persist: string | undefined, cause: "boot" | "update"): boolean {
  return persist === "always" || (persist === "restart" && cause === "boot");
}
