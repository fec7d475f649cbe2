// Lines that scripts on the machines send to the test while they run: what has really begun and ended there, whatever
// becomes of the server, and even of the machine.
import { createServer, type Socket } from "node:net";

export interface Marks {
  /** How often each line has come. */
  readonly counts: ReadonlyMap<string, number>;
  /** A shell command that sends a line; its variables are filled in on the machine. */
  send(line: string): string;
  close(): Promise<void>;
}

export async function openMarks(): Promise<Marks> {
  const counts = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", () => sockets.delete(socket)); // the script was ended while it told
    socket.on("close", () => {
      sockets.delete(socket);
      const line = text.trim();
      if (line !== "") counts.set(line, (counts.get(line) ?? 0) + 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the marks have no port");
  return {
    counts,
    send: (line) => `bash -c 'echo "${line}" >/dev/tcp/127.0.0.1/${address.port}'`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
