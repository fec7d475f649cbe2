// The command and its verbs: global flags, help that teaches, and one place where failures become words and exit codes.
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { createClient } from "./client.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, explain, Failure } from "./failure.ts";
import { type Http, nodeHttp } from "./http.ts";
import type { Open } from "./open.ts";
import { createSession, type Session } from "./session.ts";
import { paintFor, type Terminal } from "./terminal.ts";
import { declareAdopt } from "./verbs/adopt.ts";
import { declareApply } from "./verbs/apply.ts";
import { declareBackup } from "./verbs/backup.ts";
import { declareCancel } from "./verbs/cancel.ts";
import { declareCreate } from "./verbs/create.ts";
import { declareDelete } from "./verbs/delete.ts";
import { declareDescribe } from "./verbs/describe.ts";
import { declareDiff } from "./verbs/diff.ts";
import { declareExec } from "./verbs/exec.ts";
import { declareGet } from "./verbs/get.ts";
import { declareKubeconfig } from "./verbs/kubeconfig.ts";
import { declareLogs } from "./verbs/logs.ts";
import { declareRestore } from "./verbs/restore.ts";
import { declareRun } from "./verbs/run.ts";
import { declareVersion } from "./verbs/version.ts";
import { declareWait } from "./verbs/wait.ts";
import { VERSION } from "./version.ts";

interface GlobalFlags {
  readonly server?: string;
  readonly token?: string;
  readonly caFile?: string;
  readonly namespace?: string;
}

const DEFAULT_SERVER = "http://127.0.0.1:3000";

/** Runs one command line and resolves with its exit code. `http` is for tests; node's own otherwise. */
export async function runProgram(args: readonly string[], terminal: Terminal, http?: Http): Promise<number> {
  let exitCode = 0;
  let failed: number | undefined;
  const open: Open = async (command, body, code) => {
    failed = code;
    exitCode = await body(openSession(command.optsWithGlobals<GlobalFlags>(), terminal, http));
  };
  try {
    await createProgram(terminal, open).parseAsync(args.length === 0 ? ["help"] : args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (terminal.interrupted.aborted) return EXIT_INTERRUPTED;
    if (!(error instanceof Failure)) throw error;
    const lines = explain(error);
    terminal.note(paintFor(terminal).red("error:") + lines.slice("error:".length));
    return error.exitCode === EXIT_FAILED ? (failed ?? EXIT_FAILED) : error.exitCode;
  }
}

function openSession(flags: GlobalFlags, terminal: Terminal, http: Http | undefined): Session {
  const { environment } = terminal;
  const server = flags.server ?? (environment.FLYWHEEL_SERVER || DEFAULT_SERVER);
  const token = flags.token ?? (environment.FLYWHEEL_TOKEN || environment.API_KEY || undefined);
  const caFile = flags.caFile ?? (environment.FLYWHEEL_CA_FILE || undefined);
  const authority = caFile === undefined ? undefined : readAuthority(caFile);
  const client = createClient({
    server: server.replace(/\/+$/, ""),
    token,
    terminal,
    http: http ?? nodeHttp(authority),
    userAgent: `flywheel/${VERSION}`,
  });
  return createSession(client, { token, authority }, terminal, flags.namespace);
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new Failure(`FLYWHEEL_CA_FILE: cannot read "${file}" (${why}); it names a file of PEM certificates`, {
      cause,
    });
  }
}

function createProgram(terminal: Terminal, open: Open): Command {
  const program = new Command("flywheel")
    .description("Fly machines with the whole Kubernetes toolbelt, and no Kubernetes.")
    .usage("<verb> [flags]")
    .version(VERSION, "-V, --version", "show the version of this command")
    .helpOption("-h, --help", "explain the command or a verb")
    .addOption(new Option("--server <url>", `the server (FLYWHEEL_SERVER, else ${DEFAULT_SERVER})`))
    .addOption(new Option("--token <token>", "bearer token (FLYWHEEL_TOKEN, else API_KEY)"))
    .addOption(new Option("--ca-file <file>", "PEM certificates to trust for https (FLYWHEEL_CA_FILE)"))
    .addOption(new Option("-n, --namespace <name>", "the namespace (default)"))
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => terminal.writeError(text),
      getOutHasColors: () => terminal.colors,
      getErrHasColors: () => terminal.colors,
    })
    .showHelpAfterError("(see `flywheel help` and `flywheel help VERB`)")
    .exitOverride();
  group(
    program,
    "Objects:",
    [declareApply, declareCreate, declareGet, declareDescribe, declareDiff, declareWait, declareDelete],
    open,
  );
  group(program, "Machines and runs:", [declareExec, declareRun, declareLogs, declareCancel], open);
  group(program, "When something is lost:", [declareBackup, declareRestore, declareAdopt], open);
  group(program, "About:", [declareKubeconfig, declareVersion], open);
  return program.helpCommand("help [verb]", "explain the command or a verb").addHelpText("after", FIRST_STEPS);
}

function group(
  program: Command,
  heading: string,
  verbs: readonly ((program: Command, open: Open) => void)[],
  open: Open,
) {
  program.commandsGroup(heading);
  for (const declare of verbs) declare(program, open);
}

const FIRST_STEPS = `
First steps:
  npm start                                                  a server, in another terminal
  flywheel apply -f manifests/examples/instance.yaml         ask for a machine
  flywheel wait instance/dev-box --for=condition=Ready       until it is there
  flywheel exec dev-box -- uname -a                          use it
  flywheel get all                                           see what there is
  flywheel delete instance dev-box                           and have it removed

Every object is visible to kubectl too: the server speaks its protocol.
Exit codes: 0 done, 1 failed, 2 typed wrong; of exec: the remote command's own.`;
