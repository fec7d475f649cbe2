// Machines that are there and are not shown, that are shown and are not there, or that come back: each once cost a machine.
import { afterEach, expect, test } from "vitest";
import type { HttpRequest, HttpResponse } from "../../../controller/kernel/http.ts";
import { instanceWorld, type TestWorld } from "../../instance-world.ts";

let world: TestWorld;
afterEach(() => world.close());

const MINUTE = 60_000;
const isList = ({ method, url }: HttpRequest) => method === "GET" && new URL(url).pathname.endsWith("/machines");
const isCreate = ({ method, url }: HttpRequest) => method === "POST" && new URL(url).pathname.endsWith("/machines");
const signal = new AbortController().signal;
const idOf = async (name: string) => (await world.get(name))?.status?.machine?.id ?? "none";

test("a machine that was believed absent and comes back is reaped: its successor is the one", async () => {
  let hidden: string | undefined;
  world = await instanceWorld({
    async between(request, send) {
      const answer = await send();
      if (hidden === undefined || request.method !== "GET") return answer;
      if (isList(request)) {
        const shown = JSON.parse(answer.body).filter(({ id }: { id: string }) => id !== hidden);
        return { ...answer, body: JSON.stringify(shown) };
      }
      return request.url.includes(hidden)
        ? { status: 404, headers: {}, body: '{"error":"machine not found"}' }
        : answer;
    },
  });
  await world.apply("box");
  await world.until("box", "Ready", MINUTE);
  hidden = await idOf("box");
  await world.clock.runUntil(async () => (await world.get("box"))?.status?.provisioning?.incarnation === 2, 5 * MINUTE);
  await world.until("box", "Ready", MINUTE);
  expect(world.live()).toHaveLength(2);
  const lost = hidden;
  hidden = undefined;
  await world.clock.advance(MINUTE);
  expect(world.live().map(({ id }) => id)).toEqual([await idOf("box")]);
  expect(await idOf("box")).not.toBe(lost);
});

test("each create in doubt has a settle window of its own, whatever was found of the one before", async () => {
  const late: (() => Promise<unknown>)[] = [];
  world = await instanceWorld({
    async between(request, send) {
      if (request.url.includes("include_deleted") && late.length === 1) return { status: 200, headers: {}, body: "[]" };
      if (!isCreate(request) || late.length === 2) return send();
      late.push(send);
      return Promise.reject(new Error("socket hang up"));
    },
  });
  await world.apply("box");
  await world.clock.runUntil(() => late.length === 1, MINUTE);
  await world.clock.advance(1000); // read as absent once; the next sweep finds it
  await late[0]?.();
  await world.until("box", "Ready", MINUTE);
  await world.clock.advance(MINUTE);
  await world.machines.destroy("workers", await idOf("box"), signal);
  await world.clock.runUntil(() => late.length === 2, 2 * MINUTE);
  await world.clock.advance(10_000);
  expect(world.calls.filter((call) => call === "POST /machines")).toHaveLength(2);
  await world.remove("box");
  await world.clock.advance(10_000);
  await late[1]?.();
  await world.gone("box", 3 * MINUTE);
  expect(world.live()).toEqual([]);
});

test("a destroyed machine that an old list still shows is not taken for the one that is being made", async () => {
  let late: (() => Promise<unknown>) | undefined;
  let old: HttpResponse | undefined;
  let lying = false;
  let creates = 0;
  world = await instanceWorld({
    async between(request, send) {
      if (isCreate(request)) {
        creates += 1;
        if (creates === 2) {
          late = send;
          throw new Error("socket hang up");
        }
      }
      if (isList(request) && lying && old) return old;
      const answer = await send();
      if (isList(request) && /"state":\s*"started"/.test(answer.body)) old = answer;
      return answer;
    },
  });
  await world.apply("box");
  await world.until("box", "Ready", MINUTE);
  await world.clock.advance(6000);
  const first = await idOf("box");
  await world.machines.destroy("workers", first, signal);
  await world.clock.runUntil(() => late !== undefined, 2 * MINUTE);
  lying = true;
  await world.restart();
  await world.clock.advance(6000);
  expect(await idOf("box")).toBe("none");
  await world.remove("box");
  await world.clock.advance(6000);
  await late?.();
  lying = false;
  await world.gone("box", 3 * MINUTE);
  expect(world.live()).toEqual([]);
});

test("a machine that is released while its create was in doubt is released once", async () => {
  world = await instanceWorld({
    async between(request, send) {
      const answer = await send();
      if (!isCreate(request)) return answer;
      await world.remove("box");
      throw new Error("socket hang up");
    },
  });
  await world.apply("box", { deletionPolicy: "Orphan" });
  await world.clock.runUntil(() => world.live().length === 1, MINUTE);
  await world.gone("box", 2 * MINUTE);
  expect(world.live()).toHaveLength(1);
  expect(world.calls.filter((call) => call.startsWith("PATCH") || call.endsWith("/metadata"))).toHaveLength(1);
});
