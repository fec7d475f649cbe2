// An emulated cloud on virtual time, spoken to through its API without sockets.
import { emulatorApi, emulatorHttp } from "../../../controller/emulator/api.ts";
import { Cloud } from "../../../controller/emulator/cloud.ts";
import type { KnobChanges } from "../../../controller/emulator/knobs.ts";
import { type MemoryGuestsOptions, memoryGuests } from "../../../controller/emulator/memory-guests.ts";
import type { HttpRequest } from "../../../controller/kernel/http.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { virtualClock } from "../../virtual-clock.ts";

export const TOKEN = "token-of-the-test";
export const SLEEPER = { image: "ubuntu:22.04", init: { exec: ["/bin/sleep", "inf"] } };

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // What the emulator answers is looked into by each test; its shape is what is being tested.
  readonly json: Record<string, never> & { readonly [key: string]: unknown };
}

export function emulated(options: { knobs?: KnobChanges; guests?: MemoryGuestsOptions } = {}) {
  const clock = virtualClock();
  const guests = memoryGuests(options.guests);
  const cloud = new Cloud({
    clock,
    random: seededRandom(1),
    guests,
    knobs: { rateLimit: false, ...options.knobs },
  });
  const app = emulatorApi(cloud, { token: TOKEN });
  const http = emulatorHttp(app);

  async function call(method: HttpRequest["method"], path: string, body?: unknown, headers = {}): Promise<Answer> {
    const response = await http.send(
      {
        method,
        url: `http://127.0.0.1:4280/v1${path}`,
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      new AbortController().signal,
    );
    const isJson = response.headers["content-type"]?.includes("json");
    return { ...response, text: response.body, json: isJson ? JSON.parse(response.body) : {} };
  }

  /** A machine of the app `a`, which is made when needed. */
  async function create(request: Record<string, unknown> = {}): Promise<string> {
    await call("POST", "/apps", { name: "a", org_slug: "personal" });
    const answer = await call("POST", "/apps/a/machines", { config: SLEEPER, ...request });
    if (answer.status !== 200) throw new Error(`create answered ${answer.status} ${answer.text}`);
    return String(answer.json.id);
  }

  async function started(request: Record<string, unknown> = {}): Promise<string> {
    const id = await create(request);
    await reach(id, "started");
    return id;
  }

  const state = async (id: string) => String((await call("GET", `/apps/a/machines/${id}`)).json.state);
  const reach = (id: string, wanted: string) => clock.runUntil(async () => (await state(id)) === wanted, 120_000);

  return { clock, cloud, guests, app, http, call, create, started, state, reach };
}

export const path = (id: string, rest = "") => `/apps/a/machines/${id}${rest}`;
