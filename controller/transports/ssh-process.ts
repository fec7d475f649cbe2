// One command on an SSH channel: its streams, its end, and the way to kill it.
import type { Readable } from "node:stream";
import type { ClientChannel } from "ssh2";
import { withoutAnnouncement } from "./remote-pid.ts";
import { type RemoteProcess, TransportError } from "./transport.ts";

export interface SshProcess extends RemoteProcess {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Kills it and lets go of it: nobody reads on. */
  abandon(): void;
  /** The connection is gone. */
  lose(error: TransportError): void;
}

export interface Process {
  readonly channel: ClientChannel;
  /** The stream that carries the announcement of the process id. */
  readonly announcedOn: "stdout" | "stderr";
  readonly where: string;
  /** Sends a signal to a process of this machine by its id. */
  readonly killByPid: (pid: number, signal: string) => void;
}

export function sshProcess({ channel, announcedOn, where, killByPid }: Process): SshProcess {
  let pid: number | undefined;
  let waiting: string | undefined;
  let abandoned = false;
  const announcement = withoutAnnouncement((told) => {
    pid = told;
    if (waiting !== undefined) killByPid(told, waiting);
    if (abandoned) channel.close();
  });
  const stdout = announcedOn === "stdout" ? channel.pipe(announcement) : channel;
  const stderr = announcedOn === "stderr" ? channel.stderr.pipe(announcement) : channel.stderr;

  let lose = (_error: TransportError): void => undefined;
  const exit = new Promise<Awaited<RemoteProcess["exit"]>>((resolve, reject) => {
    lose = reject;
    channel.once("exit", (code: number | null, signal?: string) => resolve({ code, signal }));
    channel.once("close", () =>
      reject(new TransportError("lost", `${where}: the command ended without an exit status`)),
    );
  });
  exit.catch(() => undefined); // whoever asks for it sees it; a process nobody asks about must not end ours
  channel.on("error", () => undefined); // told by `exit` and by `write`

  function kill(signal: string): void {
    const name = signal.replace(/^SIG/, "");
    if (pid === undefined) waiting = name;
    else killByPid(pid, name);
  }

  return {
    stdout,
    stderr,
    exit,
    lose,
    kill,
    write: (data) =>
      new Promise((resolve, reject) => {
        channel.write(Buffer.from(data), (error) => {
          if (error) reject(new TransportError("lost", "standard input of the command is closed", { cause: error }));
          else resolve();
        });
      }),
    end: () => channel.end(),
    resize: (columns, rows) => channel.setWindow(rows, columns, 0, 0),
    abandon() {
      abandoned = true;
      kill("KILL");
      stdout.resume(); // unread output would keep the channel from closing
      stderr.resume();
      if (pid !== undefined) channel.close(); // else once it is known what to kill: closing alone ends nothing
    },
  };
}
