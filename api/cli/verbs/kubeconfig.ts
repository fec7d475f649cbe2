// `kubeconfig`: kubectl, and every library that reads its configuration, finds the server.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { Failure } from "../failure.ts";
import { type KubeconfigEntry, withEntry } from "../kubeconfig.ts";
import type { Open } from "../open.ts";
import type { Session } from "../session.ts";
import type { Terminal } from "../terminal.ts";

interface Flags {
  readonly file?: string;
  readonly context: string;
  readonly print?: boolean;
}

export function declareKubeconfig(program: Command, open: Open): void {
  program
    .command("kubeconfig")
    .option("--file <file>", "the file to write (the first of KUBECONFIG, else ~/.kube/config)")
    .option("--context <name>", "name of the context, its cluster and its user", "flywheel")
    .option("--print", "print a kubeconfig of this server alone; write nothing")
    .summary("let kubectl find the server")
    .description(
      "Add this server to a kubeconfig, or bring its entry up to date, and make it the current context. All else in the file stays.",
    )
    .action((flags: Flags, command: Command) => open(command, (session) => kubeconfig(session, flags)));
}

async function kubeconfig(session: Session, flags: Flags): Promise<number> {
  const { client, access, terminal } = session;
  // Asked first: an entry that leads nowhere, or is not let in, helps nobody.
  await client.json("/api");
  const entry: KubeconfigEntry = {
    name: flags.context,
    server: client.server,
    ...access,
    namespace: session.namespace,
  };
  if (entry.token !== undefined && entry.server.startsWith("http:")) {
    terminal.note("warning: kubectl sends no token over plain http; start the server with TLS=self-signed");
  }
  if (flags.print) {
    terminal.write(withEntry("", entry, "the kubeconfig"));
    return 0;
  }
  const file = flags.file ?? defaultFile(terminal);
  write(file, withEntry(read(file), entry, file));
  terminal.write(`context "${entry.name}" written to ${file}\n`);
  return 0;
}

function defaultFile({ environment }: Terminal): string {
  const [first] = (environment.KUBECONFIG ?? "").split(":").filter((each) => each !== "");
  if (first !== undefined) return first;
  if (!environment.HOME) throw new Failure("neither KUBECONFIG nor HOME is set: name the file with --file");
  return join(environment.HOME, ".kube", "config");
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return "";
    throw new Failure(`cannot read ${file}: ${String(cause)}`, { cause });
  }
}

/** By rename, so that a file with the access of other clusters is never half written. */
function write(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const next = `${file}.flywheel-new`;
    writeFileSync(next, text, { mode: 0o600 });
    renameSync(next, file);
  } catch (cause) {
    throw new Failure(`cannot write ${file}: ${String(cause)}`, { cause });
  }
}
