// An emulator on a real socket with real processes, and a small client for it.

import ssh2 from "ssh2";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../controller/emulator/emulator.ts";
import { systemClock } from "../../controller/kernel/clock.ts";
import { systemRandom } from "../../controller/kernel/random.ts";

export const TOKEN = "token-of-the-test";

/** Delays as short as they can be, so that tests wait for processes only. */
const QUICK = {
  create: 50,
  start: 50,
  resume: 10,
  stop: 10,
  suspend: 10,
  replace: 50,
  relaunch: 20,
  recover: 200,
  destroy: 10,
  park: 50,
};

export function start(options: Partial<EmulatorOptions> = {}): Promise<Emulator> {
  return startEmulator({
    token: TOKEN,
    clock: systemClock,
    random: systemRandom,
    knobs: { rateLimit: false, stillActiveMs: 0, sshDelayMs: 50, delays: QUICK },
    ...options,
  });
}

export interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export function client(url: string) {
  async function call(method: string, path: string, body?: unknown): Promise<Reply> {
    const response = await fetch(`${url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : { text } };
  }
  const machine = (id: string, rest = "") => `/apps/e2e/machines/${id}${rest}`;
  const wait = async (id: string, state: string) => {
    const reply = await call("GET", machine(id, `/wait?state=${state}&timeout=30`));
    if (reply.status !== 200) throw new Error(`wait for ${state}: ${reply.status} ${JSON.stringify(reply.body)}`);
  };
  return {
    call,
    machine,
    wait,
    async started(config: Record<string, unknown> = {}): Promise<{ id: string; ip: string }> {
      await call("POST", "/apps", { name: "e2e", org_slug: "personal" });
      const { status, body } = await call("POST", "/apps/e2e/machines", { config: { ...STAYS, ...config } });
      if (status !== 200) throw new Error(`create: ${status} ${JSON.stringify(body)}`);
      await wait(String(body.id), "started");
      return { id: String(body.id), ip: String(body.private_ip) };
    },
    async sh(id: string, script: string): Promise<string> {
      const { status, body } = await call("POST", machine(id, "/exec"), { command: ["/bin/sh", "-c", script] });
      if (status !== 200) throw new Error(`exec: ${status} ${JSON.stringify(body)}`);
      return `${String(body.stdout)}${String(body.stderr)}`.trim();
    },
  };
}

/** Its main process reacts to the stop signal, and stays otherwise. */
export const STAYS = {
  image: "ubuntu:22.04",
  init: { exec: ["/bin/sh", "-c", 'trap "exit 0" INT TERM; while :; do sleep 60 & wait; done'] },
};

export const userKey = ssh2.utils.generateKeyPairSync("ed25519");
export const hostKey = ssh2.utils.generateKeyPairSync("ed25519");

const base64 = (text: string) => Buffer.from(text).toString("base64");

export const SSH_FILES = [
  { guest_path: "/root/.ssh/authorized_keys", raw_value: base64(`${userKey.public}\n`), mode: 0o600 },
  { guest_path: "/etc/ssh/flywheel_host_ed25519_key", raw_value: base64(hostKey.private), mode: 0o600 },
];

/** Resolves when `condition` holds; real time, because real processes are waited for. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  limitMs = 10_000,
): Promise<void> {
  for (const begin = performance.now(); performance.now() - begin < limitMs; ) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${limitMs} ms: ${what}`);
}
