// SSH into one machine, served by the emulator at the machine's own address: keys and host key come from the machine's
// configuration, commands run inside its sandbox. A real sshd's answers are the measure.
import { createServer, type Server, type Socket } from "node:net";
import ssh2, { type AuthContext, type Connection, type ParsedKey, type PublicKeyAuthContext } from "ssh2";
import { messageOf } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { GuestSpec } from "../guest.ts";
import { writeInside } from "./directory.ts";
import type { LocalGuest } from "./local-guest.ts";
import { serveSession } from "./ssh-session.ts";

export const SSH_PORT = 2222;
const AUTHORIZED_KEYS = "/root/.ssh/authorized_keys";
const HOST_KEY = "/etc/ssh/flywheel_host_ed25519_key";
/** Where the key goes that is made when the configuration brings none; it is gone with the root file system. */
const OWN_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key";

export interface SshOptions {
  readonly spec: GuestSpec;
  readonly root: string;
  readonly guest: LocalGuest;
  /** How long a machine that has started refuses connections. */
  readonly delayMs: number;
  readonly log: Log;
  /** The address cannot be bound on this computer. */
  readonly missing: (reason: string) => void;
}

export interface SshService {
  /** Listens after the delay; open connections go on where they were frozen. */
  open(): void;
  /** Nobody gets in, and open connections stand still. */
  freeze(): Promise<void>;
  close(): Promise<void>;
}

export function serveSsh(options: SshOptions): SshService {
  const { spec, log } = options;
  const sockets = new Set<Socket>();
  let ssh: ssh2.Server | undefined;
  let server: Server | undefined;
  let opening: NodeJS.Timeout | undefined;
  let closed = false;

  async function listen(): Promise<void> {
    ssh ??= await sshServer(options);
    if (closed) return;
    const front = createServer((socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      socket.on("error", (error) => log.debug({ machine: spec.id, error: error.message }, "SSH connection broke"));
      ssh?.injectSocket(socket);
    });
    server = front;
    front.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRNOTAVAIL" || error.code === "EACCES") options.missing(error.message);
      else log.error({ machine: spec.id, error: error.message }, "SSH cannot listen");
    });
    front.listen(SSH_PORT, spec.privateIp);
  }

  async function stopListening(): Promise<void> {
    clearTimeout(opening);
    const front = server;
    server = undefined;
    if (front?.listening) front.close();
  }

  return {
    open() {
      for (const socket of sockets) socket.resume();
      opening = setTimeout(() => {
        listen().catch((error: unknown) => log.error({ machine: spec.id, error: messageOf(error) }, "no SSH"));
      }, options.delayMs);
    },
    async freeze() {
      await stopListening();
      for (const socket of sockets) socket.pause();
    },
    async close() {
      closed = true;
      await stopListening();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function sshServer({ spec, root, guest, log }: SshOptions): Promise<ssh2.Server> {
  const keys = authorizedKeys(spec);
  const server = new ssh2.Server({ hostKeys: [await hostKey(spec, root)], ident: "flywheel-emulator" }, (client) => {
    client.on("authentication", (context) => authenticate(context, keys));
    client.on("ready", () => serveConnection(client, guest, log));
    client.on("error", (error) => log.debug({ machine: spec.id, error: error.message }, "SSH client failed"));
  });
  return server;
}

function serveConnection(client: Connection, guest: LocalGuest, log: Log): void {
  client.on("session", (accept) => serveSession(accept(), guest, log));
}

/** Only root, only with one of the machine's keys, and only when the client has the private half. */
function authenticate(context: AuthContext, keys: readonly ParsedKey[]): void {
  if (context.username === "root" && context.method === "publickey" && holdsKey(context, keys)) context.accept();
  else context.reject(["publickey"]);
}

/** True also for the question, without a signature, whether a key may be tried. */
function holdsKey({ key, blob, signature, hashAlgo }: PublicKeyAuthContext, keys: readonly ParsedKey[]): boolean {
  const known = keys.find((each) => each.type === key.algo && each.getPublicSSH().equals(key.data));
  if (!known) return false;
  return signature === undefined || blob === undefined || known.verify(blob, signature, hashAlgo) === true;
}

function authorizedKeys(spec: GuestSpec): readonly ParsedKey[] {
  return configFile(spec, AUTHORIZED_KEYS)
    .split("\n")
    .filter((line) => /^\s*[^#\s]/.test(line))
    .flatMap((line) => {
      const key = ssh2.utils.parseKey(line.trim());
      return key instanceof Error ? [] : [key];
    });
}

async function hostKey(spec: GuestSpec, root: string): Promise<string> {
  const given = configFile(spec, HOST_KEY);
  if (given !== "") return given;
  const made = ssh2.utils.generateKeyPairSync("ed25519");
  await writeInside(root, OWN_HOST_KEY, made.private, 0o600);
  return made.private;
}

function configFile(spec: GuestSpec, path: string): string {
  const file = spec.config.files?.find((each) => each.guest_path === path);
  return file?.raw_value ? Buffer.from(file.raw_value, "base64").toString("utf8") : "";
}
