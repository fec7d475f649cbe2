// The emulator in a process of its own, with a look at every call as it arrives: when, and what it asks for.
// `fly local FOLDER` has real guests, `fly memory` none, where only the calls count.
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { emulatorApi } from "../../../controller/emulator/api.ts";
import { Cloud } from "../../../controller/emulator/cloud.ts";
import { startEmulator } from "../../../controller/emulator/emulator.ts";
import { memoryGuests } from "../../../controller/emulator/memory-guests.ts";
import { systemClock } from "../../../controller/kernel/clock.ts";
import { systemRandom } from "../../../controller/kernel/random.ts";
import { actionOf } from "../fly-action.ts";
import { serve } from "./serve.ts";

const TOKEN = "a-token-of-the-bench";

const [guests, stateDir] = process.argv.slice(2);
const { cloud, close } = guests === "local" ? await local() : memory();
const counts: Record<string, number> = {};
const creates: { readonly app: string; readonly atMs: number }[] = [];

const api = emulatorApi(cloud, { token: TOKEN });
const server = createAdaptorServer({
  fetch(request, bindings) {
    const atMs = monotonicMs();
    const { action, app } = actionOf(request.method, new URL(request.url).pathname);
    counts[action] = (counts[action] ?? 0) + 1;
    if (action === "create") creates.push({ app, atMs });
    return api.fetch(request, bindings);
  },
});
const listening = new Promise<string>((resolve) => {
  // Listening on a host and a port, it has both.
  server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
});

async function local() {
  const emulator = await startEmulator({ token: TOKEN, stateDir, clock: systemClock, random: systemRandom });
  return { cloud: emulator.cloud, close: () => emulator.close() };
}

function memory() {
  const only = new Cloud({ clock: systemClock, random: systemRandom, guests: memoryGuests() });
  return { cloud: only, close: () => only.close({ keepMachines: false }) };
}

/** One clock for all processes of this computer: CLOCK_MONOTONIC. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const procedures = {
  where: async () => ({ url: await listening, token: TOKEN }),
  /** Calls so far, by action. */
  counts: () => counts,
  /** When create calls arrived, by app and in order. */
  creates: () => creates,
};
export type FlyProcedures = typeof procedures;
serve(procedures, close);
