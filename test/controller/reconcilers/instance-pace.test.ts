// What goes wrong for long must not be done, written or told all day, and must not keep others waiting.
import { afterEach, expect, test } from "vitest";
import type { HttpRequest, HttpResponse } from "../../../controller/kernel/http.ts";
import { instanceWorld, type TestWorld } from "../../instance-world.ts";

let world: TestWorld;
afterEach(() => world.close());

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const isCreate = ({ method, url }: HttpRequest) => method === "POST" && new URL(url).pathname.endsWith("/machines");
const idOf = async (name: string) => (await world.get(name))?.status?.machine?.id ?? "none";
const countOf = (pattern: RegExp) => world.calls.filter((call) => pattern.test(call)).length;

test("hundreds that wait to be made keep no other instance waiting", async () => {
  world = await instanceWorld();
  await world.apply("early");
  await world.until("early", "Ready", MINUTE);
  for (let count = 0; count < 300; count += 1) await world.apply(`box-${count}`);
  await world.clock.advance(2000);
  await world.remove("early");
  await world.gone("early", 10_000);
  expect((await world.ready("box-299"))?.reason).toBe("Queued");
  await world.clock.advance(20_000); // and they are made as fast as Fly allows
  expect(countOf(/^POST \/machines$/)).toBeGreaterThan(20);
});

test("a crash in a burst of creates puts in doubt only the calls that were sent", async () => {
  world = await instanceWorld();
  const names = Array.from({ length: 8 }, (_, index) => `box-${index}`);
  for (const name of names) await world.apply(name);
  await world.clock.advance(1500);
  expect(countOf(/^POST \/machines$/), "Fly's limit is a burst of three, then one a second").toBe(4);
  await world.restart();
  for (const name of names) await world.until(name, "Ready", 15_000);
  expect(world.live()).toHaveLength(8);
});

test("a create whose turn comes when its instance has changed is not sent for what that was", async () => {
  world = await instanceWorld();
  for (let index = 0; index < 8; index += 1) await world.apply(`box-${index}`);
  await world.clock.advance(1500);
  await world.edit("box-7", { env: { MODE: "new" } });
  await world.remove("box-6");
  await world.until("box-7", "Ready", 20_000);
  await world.gone("box-6", 20_000);
  expect(world.live()).toHaveLength(7);
  expect(world.live().filter(({ config }) => config.env?.MODE === "new")).toHaveLength(1);
  expect(countOf(/^POST \/machines$/)).toBe(7);
});

test("a failure that repeats is one Event, though Fly names each of its requests", async () => {
  let requests = 0;
  world = await instanceWorld({
    async between(request, send) {
      if (!isCreate(request)) return send();
      requests += 1;
      return { status: 422, headers: { "fly-request-id": `01J-${requests}` }, body: '{"error":"invalid config"}' };
    },
  });
  await world.apply("box");
  await world.clock.advance(HOUR);
  expect(requests).toBeGreaterThan(5);
  expect((await world.events()).filter(({ reason }) => reason === "CreateRefused")).toHaveLength(1);
});

test("a host without room is asked again, and not every other second", async () => {
  world = await instanceWorld();
  await world.apply("box", { rootfs: { persist: "Always" }, operatingMode: "Stopped" });
  await world.until("box", "Stopped", MINUTE);
  world.faults.fullHosts = true;
  await world.edit("box", { operatingMode: "Running" });
  world.calls.length = 0;
  await world.clock.advance(10 * MINUTE);
  expect(countOf(/start$/)).toBeGreaterThan(5);
  expect(countOf(/start$/)).toBeLessThan(30);
  delete world.faults.fullHosts;
  await world.until("box", "Ready", MINUTE);
});

test("a machine that always stops as it starts is started ever more rarely", async () => {
  world = await instanceWorld();
  await world.apply("box");
  await world.until("box", "Ready", MINUTE);
  const id = await idOf("box");
  world.calls.length = 0;
  for (let seconds = 0; seconds < 3600; seconds += 2) {
    await world.clock.advance(2000);
    if (world.live()[0]?.state === "started") void world.machines.stop("workers", id, new AbortController().signal);
  }
  expect(countOf(/start$/)).toBeGreaterThan(8);
  expect(countOf(/start$/)).toBeLessThan(25);
});

test("a difference that Fly makes by itself does not restart the machine for ever", async () => {
  const rewritten = (answer: HttpResponse) => ({
    ...answer,
    body: answer.body.replaceAll('"ROUND":"1"', '"ROUND":"1","ADDED":"by Fly"'),
  });
  world = await instanceWorld({ between: async (_request, send) => rewritten(await send()) });
  await world.apply("box", { env: { ROUND: "1" } });
  await world.clock.runUntil(() => countOf(/^POST \/machines\/[0-9a-f]+$/) > 0, 5 * MINUTE);
  await world.until("box", "Ready", MINUTE); // it serves all the same
  await world.clock.advance(HOUR);
  expect(countOf(/^POST \/machines\/[0-9a-f]+$/)).toBeLessThan(10);
});

test("an old list does not look like somebody who wakes a machine at rest", async () => {
  let old: HttpResponse | undefined;
  let lying = false;
  world = await instanceWorld({
    async between(request, send) {
      const list = request.method === "GET" && new URL(request.url).pathname.endsWith("/machines");
      if (list && lying && old) return old;
      const answer = await send();
      if (list && /"state":\s*"started"/.test(answer.body)) old = answer;
      return answer;
    },
  });
  await world.apply("box", { idle: { after: "1m" } });
  await world.until("box", "Ready", MINUTE);
  await world.clock.runUntil(() => world.live()[0]?.state === "suspended", 3 * MINUTE);
  await world.clock.advance(10_000);
  lying = true;
  await world.clock.advance(10_000);
  lying = false;
  await world.clock.advance(10_000);
  expect(countOf(/start$/)).toBe(0);
  expect((await world.get("box"))?.status?.effectiveMode).toBe("Suspended");
});
