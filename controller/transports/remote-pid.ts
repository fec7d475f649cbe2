// Which process a command is on the machine. OpenSSH refuses signals over the protocol when root has logged in, and ssh2
// drops them once the input has ended; so a command says its process id first, and is killed by that, whole group.
import { Transform } from "node:stream";

const START = 0x01;
const END = 0x02;
/** A login shell may print something of its own before the command begins; not more than this. */
const SEARCHED_BYTES = 8192;

/** The command line with the announcement before it; run by `/bin/sh`, whatever root's login shell is. */
export function announced(command: string, stream: "stdout" | "stderr"): string {
  const target = stream === "stderr" ? " >&2" : "";
  return `exec /bin/sh -c ${quoted(`printf '\\001%d\\002' "$$"${target}\n${command}`)}`;
}

/** Ends the process and its group with a signal such as `TERM`. */
export function killLine(pid: number, signal: string): string {
  if (!/^[A-Z0-9+]+$/.test(signal)) throw new RangeError(`not a signal: ${signal}`);
  return `kill -${signal} -${pid} 2>/dev/null || kill -${signal} ${pid} 2>/dev/null`;
}

/** Takes the announcement out of the stream that carries it, and tells the process id. */
export function withoutAnnouncement(tell: (pid: number) => void): Transform {
  let head: Buffer | undefined = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (head === undefined) return done(null, chunk);
      head = Buffer.concat([head, chunk]);
      const start = head.indexOf(START);
      const end = start < 0 ? -1 : head.indexOf(END, start);
      if (end < 0 && head.length < SEARCHED_BYTES) return done();
      const rest = end < 0 ? head : Buffer.concat([head.subarray(0, start), head.subarray(end + 1)]);
      const pid = end < 0 ? Number.NaN : Number(head.subarray(start + 1, end).toString());
      head = undefined;
      if (Number.isInteger(pid)) tell(pid);
      done(null, rest);
    },
    flush(done) {
      done(null, head);
    },
  });
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
