// All machines that run on this computer, and the SSH that leads into them.

import type { Log } from "../../kernel/log.ts";
import type { Guest, GuestExit, GuestSpec, Guests } from "../guest.ts";
import { machineDirectory, prepareDirectory, removeTree, writeConfigFiles, writeInside } from "./directory.ts";
import { LocalGuest } from "./local-guest.ts";
import { processTable } from "./processes.ts";
import { type Sandbox, SSH_PROVIDED } from "./sandbox.ts";
import { type SshService, serveSsh } from "./ssh-server.ts";

export interface LocalGuestsOptions {
  readonly stateDir: string;
  readonly sandbox: Sandbox;
  readonly sshDelayMs: number;
  readonly log: Log;
}

export function localGuests(options: LocalGuestsOptions): Guests {
  const { stateDir, sandbox, log } = options;
  const host = { sandbox, processes: processTable() };
  const held = new Map<string, { readonly guest: LocalGuest; readonly ssh: SshService }>();
  let sshMissing = false;

  /** The guest with its SSH: that ends, freezes and wakes with it. */
  function hold(spec: GuestSpec, guest: LocalGuest, frozen: boolean): Guest {
    const ssh = serveSsh({
      spec,
      root: machineDirectory(stateDir, spec.id).root,
      guest,
      delayMs: options.sshDelayMs,
      log,
      missing: (reason) => {
        if (!sshMissing) log.warn({ address: spec.privateIp, reason }, "no SSH to emulated machines, only exec");
        sshMissing = true;
      },
    });
    if (!frozen) ssh.open();
    held.set(spec.id, { guest, ssh });
    guest.exited.then(() => ssh.close());
    return {
      exited: guest.exited,
      exec: (command, stdin, signal) => guest.exec(command, stdin, signal),
      signal: (name) => guest.signal(name),
      processes: () => guest.processes(),
      kill: async () => {
        await ssh.close();
        await guest.kill();
        held.delete(spec.id);
      },
      freeze: async () => {
        await ssh.freeze();
        await guest.freeze();
      },
      thaw: async () => {
        await guest.thaw();
        ssh.open();
      },
    };
  }

  return {
    async boot(spec) {
      const directory = machineDirectory(stateDir, spec.id);
      await prepareDirectory(directory, spec.freshRoot);
      await sandbox.prepare(directory, spec);
      await writeInside(directory.root, SSH_PROVIDED, "the emulator serves SSH here\n", 0o644);
      await writeConfigFiles(directory.root, spec.config.files);
      return hold(spec, await LocalGuest.boot(directory, host, spec), false);
    },
    async adopt(spec, frozen): Promise<Guest | GuestExit | undefined> {
      const found = await LocalGuest.adopt(machineDirectory(stateDir, spec.id), host, spec, frozen);
      return found instanceof LocalGuest ? hold(spec, found, frozen) : found;
    },
    wipe: (id) => removeTree(machineDirectory(stateDir, id).path),
    async close(kill) {
      const closing = [...held.values()].map(async ({ guest, ssh }) => {
        await ssh.close();
        guest.release();
        if (kill) await guest.kill();
      });
      held.clear();
      await Promise.all(closing);
    },
  };
}
