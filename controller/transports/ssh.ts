// SSH to a machine, as root, with our key, to the one host key that the instance was given. Any other host key ends the
// connection before anything is sent: there is no trust on first use, and no other key type to fall back to.
import ssh2 from "ssh2";
import type { Clock } from "../kernel/clock.ts";
import { SSH_KEEPALIVE_MISSES, SSH_KEEPALIVE_MS } from "../limits.ts";
import { fingerprintOf, type SshKeyPair } from "./ed25519-key.ts";
import { sshConnection } from "./ssh-connection.ts";
import { type Connection, type Target, type Transport, TransportError } from "./transport.ts";

export interface SshOptions {
  readonly clock: Clock;
  /** Ours, as text in any format that ssh2 reads. */
  readonly privateKey: string;
  /** The host key that the machine of this instance was given. */
  readonly hostKeyOf: (uid: string) => Pick<SshKeyPair, "publicBlob" | "fingerprint">;
  /** From the first packet to the end of authentication. */
  readonly readyTimeoutMs: number;
  readonly username?: string;
}

export function sshTransport(options: SshOptions): Transport {
  return { name: "SSH", connect: (target, signal) => connect(options, target, signal) };
}

function connect(options: SshOptions, target: Target, signal: AbortSignal): Promise<Connection> {
  const where = `SSH to [${target.host}]:${target.port} (machine ${target.machineId})`;
  const pinned = options.hostKeyOf(target.uid);
  const client = new ssh2.Client();
  let shown: Uint8Array | undefined;

  return new Promise((resolve, reject) => {
    const fail = (error: TransportError) => {
      signal.removeEventListener("abort", abort);
      client.destroy();
      reject(error);
    };
    const abort = () => fail(new TransportError("down", `${where}: given up`, { cause: signal.reason }));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });

    client.on("error", (error) => fail(failure(where, error, pinned.fingerprint, shown)));
    client.once("close", () => fail(new TransportError("down", `${where}: closed by the machine before it was ready`)));
    client.once("ready", () => {
      signal.removeEventListener("abort", abort);
      client.removeAllListeners("close");
      client.removeAllListeners("error");
      client.setNoDelay(true); // keystrokes are small
      resolve(sshConnection(client, options.clock, where));
    });
    client.connect({
      host: target.host,
      port: target.port,
      username: options.username ?? "root",
      privateKey: options.privateKey,
      authHandler: ["publickey"],
      algorithms: { serverHostKey: ["ssh-ed25519"] },
      hostVerifier: (key: Buffer) => {
        const right = key.equals(pinned.publicBlob);
        if (!right) shown = key;
        return right;
      },
      readyTimeout: options.readyTimeoutMs,
      keepaliveInterval: SSH_KEEPALIVE_MS,
      keepaliveCountMax: SSH_KEEPALIVE_MISSES,
    });
  });
}

function failure(
  where: string,
  error: Error & { readonly level?: string },
  pinned: string,
  shown: Uint8Array | undefined,
): TransportError {
  if (shown !== undefined) {
    const message = `${where}: its host key is ${fingerprintOf(shown)} and must be ${pinned}; nothing was sent`;
    return new TransportError("mismatch", message, { cause: error });
  }
  if (/no matching host key format/.test(error.message)) {
    const message = `${where}: it has no ed25519 host key, and must have ${pinned}; nothing was sent`;
    return new TransportError("mismatch", message, { cause: error });
  }
  if (error.level === "client-authentication") {
    return new TransportError("auth", `${where}: our key is not accepted`, { cause: error });
  }
  return new TransportError("down", where, { cause: error });
}
