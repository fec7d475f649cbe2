// One session of an SSH connection: a command, a shell or a subsystem, with or without a terminal, inside the sandbox.
import { existsSync } from "node:fs";
import type { PseudoTtyInfo, ServerChannel, Session } from "ssh2";
import { messageOf } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { LocalGuest, Running } from "./local-guest.ts";

/** What sshd lets a client set by default on Debian. */
const ACCEPTED_ENV = /^(LANG|LC_[A-Z_]+)$/;
const SFTP_SERVERS = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server"];
/** By what the session's terminal is found again when its window changes. */
const TTY_NOTE = "FLY_TTY_NOTE";

/** nsenter's own failure, which is also what many commands end with. */
const ENTER_FAILED = 1;
const DOWN_GRACE_MS = 50;

type Terminal = Pick<PseudoTtyInfo, "cols" | "rows"> & { readonly term: string };

export function serveSession(session: Session, guest: LocalGuest, log: Log): void {
  const env: Record<string, string> = {};
  let terminal: Terminal | undefined;
  let running: Running | undefined;
  let note = "";

  async function start(channel: ServerChannel, command: string | undefined): Promise<void> {
    try {
      note = terminal ? `/run/tty-${process.pid}-${Math.floor(performance.now() * 1000)}` : "";
      const variables = terminal ? { ...env, TERM: terminal.term, [TTY_NOTE]: note } : env;
      running = await guest.run(terminal ? onTerminal(command, terminal) : inShell(command), variables);
      connect(channel, running, { guest, terminal: terminal !== undefined, log });
    } catch (error) {
      log.warn({ error: messageOf(error) }, "SSH command did not start");
      channel.stderr.write(`${messageOf(error)}\n`);
      channel.exit(255);
      channel.end();
    }
  }

  session.on("env", (accept, reject, { key, val }) => {
    if (!ACCEPTED_ENV.test(key)) return reject?.();
    env[key] = val;
    accept?.();
  });
  session.on("pty", (accept, _reject, info) => {
    // The type leaves out the terminal's name, which the protocol always sends.
    const { term } = info as PseudoTtyInfo & { readonly term?: string };
    terminal = { cols: info.cols, rows: info.rows, term: term || "xterm" };
    accept?.();
  });
  session.on("window-change", (accept, _reject, { cols, rows }) => {
    accept?.();
    if (note) guest.run(["/bin/sh", "-c", RESIZE, "sh", note, String(rows), String(cols)]).catch(() => undefined);
  });
  session.on("signal", (accept, _reject, { name }) => {
    accept?.();
    // A name that Node does not know is refused by it, and ignored like sshd ignores it.
    running?.signal(`SIG${name}` as NodeJS.Signals).catch(() => undefined);
  });
  session.on("exec", (accept, _reject, { command }) => void start(accept(), command));
  session.on("shell", (accept) => void start(accept(), undefined));
  session.on("subsystem", (accept, reject, { name }) => {
    const server = SFTP_SERVERS.find((path) => existsSync(path));
    if (name !== "sftp" || server === undefined) return reject();
    void start(accept(), server);
  });
}

const inShell = (command: string | undefined): readonly string[] =>
  command === undefined ? [shell(), "-l"] : [shell(), "-c", command];

const shell = () => (existsSync("/bin/bash") ? "/bin/bash" : "/bin/sh");

const RESIZE = 'tty=$(cat "$1") && stty -F "$tty" rows "$2" cols "$3"';

/** `script` makes the terminal inside the sandbox; its size is set before anything runs on it. */
function onTerminal(command: string | undefined, { rows, cols }: Terminal): readonly string[] {
  const run = command === undefined ? `exec ${shell()} -l` : `exec ${shell()} -c ${quote(command)}`;
  const size = `stty rows ${Number(rows) || 24} cols ${Number(cols) || 80}`;
  return ["script", "-qefc", `${size}; tty >"$${TTY_NOTE}"; ${run}`, "/dev/null"];
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The channel ends when the command has, and its output is through; what it left in the background goes on. */
function connect(
  channel: ServerChannel,
  { child, signal }: Running,
  { guest, terminal, log }: { readonly guest: LocalGuest; readonly terminal: boolean; readonly log: Log },
): void {
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error("a command without pipes");
  channel.pipe(stdin);
  stdout.pipe(channel, { end: false });
  stderr.pipe(channel.stderr, { end: false });
  channel.on("error", (error: Error) => log.debug({ error: error.message }, "SSH channel broke"));
  channel.once("close", () => {
    stdin.end();
    stdout.destroy();
    stderr.destroy();
    // A terminal that is hung up says so to what runs on it; without one a command learns it from its pipes.
    if (terminal) signal("SIGHUP").catch(() => undefined);
  });
  child.once("close", async (code, name) => {
    // A machine that goes down takes commands with it: the connection breaks, and no exit code is made up.
    if ((name === "SIGKILL" || code === ENTER_FAILED) && (await guest.endsWithin(DOWN_GRACE_MS)))
      return channel.close();
    if (name === null) channel.exit(code ?? 255);
    else channel.exit(name.replace(/^SIG/, ""), false, "");
    channel.end();
  });
}
