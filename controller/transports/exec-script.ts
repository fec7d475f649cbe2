// What the exec endpoint runs on the machine, in the shell that every image has. Commands and data are arguments, never
// pasted into the script, so nothing has to be quoted. Standard input is kept out of the arguments of whatever runs for
// longer, for everybody on the machine can read those: it goes to a file of 0600 that is gone once opened.
import type { ExecResult } from "../machines/machines.ts";
import type { CommandResult } from "./transport.ts";

/**
 * Runs $1 with the file $3 as input, or none. Both outputs go back in base64, at most $2 bytes of each, the rest is read
 * and dropped so that the command is not held up. Standard output ends with `:` and the exit code, standard error with `:`.
 */
const RUN = `
command -v base64 >/dev/null && command -v head >/dev/null || { echo 'base64 or head is missing' >&2; exit 127; }
c=$1 m=$2
exec 7</dev/null
[ -z "$3" ] || { exec 7<"$3"; rm -f "$3"; }
HOME=\${HOME:-/root} PATH=\${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export HOME PATH
cd "$HOME" 2>/dev/null || cd /
keep() { head -c "$m"; cat >/dev/null; }
run() { /bin/sh -c "$c" <&7 2>&3 3>&- 4>&- 5>&- 6>&- 7<&-; echo "$?" >&4; }
exec 5>&1 6>&2
code=$({ { run | keep | base64 >&5; } 3>&1 | keep | base64 >&6; } 4>&1)
echo ":$code"
echo ":" >&2
`;

/** Puts the input $4 into a file and becomes RUN, whose arguments no longer hold it. */
const RUN_WITH_INPUT = `
umask 077
f=$(mktemp /tmp/.flywheel-XXXXXX) && printf %s "$4" | base64 -d >"$f" || exit 126
exec /bin/sh -c "$1" sh "$2" "$3" "$f"
`;

const APPEND = 'umask 077; printf %s "$2" | base64 -d >>"$1"';

export type Input = { readonly base64: string } | { readonly path: string };

export function runScript(command: string, input: Input, maxBytes: number): readonly string[] {
  const bound = String(maxBytes);
  if ("path" in input) return shell(RUN, command, bound, input.path);
  if (input.base64 === "") return shell(RUN, command, bound, "");
  return shell(RUN_WITH_INPUT, RUN, command, bound, input.base64);
}

/** Each piece is whole groups of four characters, so it can be decoded by itself. */
export function appendScript(path: string, base64: string): readonly string[] {
  return shell(APPEND, path, base64);
}

export function discardScript(path: string): readonly string[] {
  return shell('rm -f "$1"', path);
}

/** What the command did, 128 and the number for a signal as shells have it; undefined when the reply is not whole. */
export function decode(reply: ExecResult): CommandResult | undefined {
  const stdout = /^([^:]*):(\d+)\s*$/.exec(reply.stdout);
  const stderr = /^([^:]*):\s*$/.exec(reply.stderr);
  if (!stdout || !stderr) return undefined;
  return { exitCode: Number(stdout[2]), stdout: bytes(stdout[1]), stderr: bytes(stderr[1]) };
}

function bytes(base64: string | undefined): Uint8Array {
  return Buffer.from(base64 ?? "", "base64");
}

function shell(script: string, ...parameters: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", script, "sh", ...parameters];
}
