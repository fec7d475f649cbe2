import { describe, expect, test } from "vitest";
import { messageOf } from "../../../controller/kernel/errors.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { type FlyMachinesOptions, flyMachines } from "../../../controller/machines/client.ts";
import { MachinesError } from "../../../controller/machines/machines.ts";
import { virtualClock } from "../../virtual-clock.ts";
import { machineBody, type Scripted, scriptedHttp } from "./scripted-http.ts";

const never = new AbortController().signal;

function setUp(answers: readonly Scripted[], options: Partial<FlyMachinesOptions> = {}) {
  const clock = virtualClock();
  const http = scriptedHttp(...answers);
  const observed: string[] = [];
  const machines = flyMachines({
    http,
    baseUrl: "http://fly.test",
    token: "secret",
    clock,
    random: seededRandom(1),
    observe: ({ action, status }) => observed.push(`${action} ${status}`),
    ...options,
  });
  return { clock, http, machines, observed };
}

/** Runs a call to its end in virtual time; gives the error it rejects with. */
async function failureOf(clock: ReturnType<typeof virtualClock>, work: Promise<unknown>): Promise<MachinesError> {
  const outcome = work.then(
    (value) => value,
    (error: unknown) => error,
  );
  await clock.advance(200_000);
  const error = await outcome;
  if (!(error instanceof MachinesError)) throw new Error(`expected a MachinesError, got ${JSON.stringify(error)}`);
  return error;
}

describe("reading", () => {
  test("is tried again after a 5xx, and then succeeds", async () => {
    const { clock, machines, http, observed } = setUp([{ status: 503 }, new Error("reset"), { body: machineBody() }]);
    const got = machines.get("shop", "148e21aaa", never);
    await clock.advance(5000);
    expect((await got).state).toBe("started");
    expect(http.lines).toEqual(Array(3).fill("GET /v1/apps/shop/machines/148e21aaa"));
    expect(observed).toEqual(["get 503", "get undefined", "get 200"]);
  });

  test("is given up after three attempts", async () => {
    const { clock, machines, http } = setUp([{ status: 500 }]);
    const error = await failureOf(clock, machines.get("shop", "1", never));
    expect(error).toMatchObject({ class: "down", ambiguous: false });
    expect(http.requests).toHaveLength(3);
  });

  test.each([404, 400, 429])("is not tried again after %i", async (status) => {
    const { clock, machines, http } = setUp([{ status }]);
    await failureOf(clock, machines.get("shop", "1", never));
    expect(http.requests).toHaveLength(1);
  });

  test("a call that hangs ends after 30 s and says what it was", async () => {
    const { clock, machines } = setUp(["silence"]);
    const error = await failureOf(clock, machines.create("shop", { name: "w", region: "iad", config: {} }, never));
    expect(error).toMatchObject({ class: "down", ambiguous: true, status: undefined });
    expect(error.message).toContain('create machine "w" in app "shop" (iad): no answer from Fly');
  });

  test("a destroyed machine is an answer; an id that never was is gone", async () => {
    const { machines } = setUp([{ body: machineBody({ state: "destroyed" }) }, { status: 404 }]);
    expect((await machines.get("shop", "1", never)).state).toBe("destroyed");
    await expect(machines.get("shop", "2", never)).rejects.toMatchObject({ class: "gone" });
  });
});

describe("the list", () => {
  test("follows the cursor over short and empty pages, counting a machine once", async () => {
    const { machines, http } = setUp(
      [
        { body: `[${machineBody({ id: "a" })}]`, headers: { "fly-next-cursor": "c1" } },
        { body: "[]", headers: { "fly-next-cursor": "c2" } },
        { body: `[${machineBody({ id: "b" })},${machineBody({ id: "a", state: "stopped" })}]` },
      ],
      { listPageSize: 2 },
    );
    const found = await machines.list("shop", { metadata: { "flywheel-uid": "u 1" }, includeDeleted: true }, never);
    expect(found.map(({ id, state }) => `${id} ${state}`)).toEqual(["a stopped", "b started"]);
    const filter = "metadata.flywheel-uid=u+1&include_deleted=true&limit=2";
    expect(http.lines).toEqual([
      `GET /v1/apps/shop/machines?${filter}`,
      `GET /v1/apps/shop/machines?${filter}&cursor=c1`,
      `GET /v1/apps/shop/machines?${filter}&cursor=c2`,
    ]);
  });

  test("that is the same text again is the same machines, not parsed again", async () => {
    const same = { body: `[${machineBody({ id: "a", private_ip: null })}]` };
    const changed = { body: `[${machineBody({ id: "a", state: "stopped" })}]` };
    const { machines } = setUp([same, same, changed]);
    const first = await machines.list("shop", {}, never);
    expect(first).toMatchObject([{ id: "a", state: "started" }]);
    expect(first[0]).not.toHaveProperty("private_ip");
    const second = await machines.list("shop", {}, never);
    expect(second[0]).toBe(first[0]);
    expect(await machines.list("shop", {}, never)).toMatchObject([{ state: "stopped" }]);
  });

  test("does not follow a cursor that goes in circles", async () => {
    const { clock, machines, http } = setUp([{ body: "[]", headers: { "fly-next-cursor": "c1" } }]);
    expect(await failureOf(clock, machines.list("shop", {}, never))).toMatchObject({ class: "down" });
    expect(http.requests).toHaveLength(2);
  });

  test("leaves out a machine that cannot be read, and fails when that is all of them", async () => {
    const { clock, machines } = setUp([
      { body: `[{"name":"no id"},${machineBody()}]` },
      { body: `[{"name":"no id"}]` },
    ]);
    expect(await machines.list("shop", {}, never)).toHaveLength(1);
    expect(await failureOf(clock, machines.list("shop", {}, never))).toMatchObject({ class: "down" });
  });

  test("takes null for absent, and keeps fields that it does not know", async () => {
    const config = { image: "ubuntu", env: null, metadata: null, brand_new: { a: [1] } };
    const { machines } = setUp([{ body: `[${machineBody({ config, events: null })}]` }]);
    const [machine] = await machines.list("shop", {}, never);
    expect(machine?.config).toEqual({ image: "ubuntu", brand_new: { a: [1] } });
  });
});

describe("changing", () => {
  test("is never sent twice", async () => {
    for (const answer of [{ status: 503 }, { status: 408 }, new Error("reset")]) {
      const { clock, machines, http } = setUp([answer]);
      const error = await failureOf(clock, machines.start("shop", "1", never));
      expect(error).toMatchObject({ class: "down", ambiguous: true });
      expect(http.requests).toHaveLength(1);
    }
  });

  test("a success whose body is cut off leaves the effect unknown", async () => {
    const { clock, machines } = setUp([{ body: '{"id":"148e' }]);
    const error = await failureOf(clock, machines.create("shop", { name: "w", region: "iad", config: {} }, never));
    expect(error).toMatchObject({ class: "down", ambiguous: true, status: 200 });
  });

  test("given up while waiting for its turn, it was not sent", async () => {
    const { machines, http } = setUp([{}]);
    for (let n = 0; n < 3; n += 1) await machines.start("shop", "1", never);
    const impatient = new AbortController();
    const started = machines.start("shop", "1", impatient.signal);
    impatient.abort(new Error("shutting down"));
    await expect(started).rejects.toMatchObject({ class: "down", ambiguous: false });
    expect(http.requests).toHaveLength(3);
  });

  test("after a 429 the next call of that kind waits as long as Fly said", async () => {
    const { clock, machines, http } = setUp([{ status: 429, headers: { "retry-after": "9" } }, {}]);
    expect(await machines.stop("shop", "1", never).catch((error: unknown) => error)).toMatchObject({
      class: "throttled",
      retryAfterMs: 9000,
    });
    const stopped = machines.stop("shop", "1", never).then(() => clock.monotonic());
    await machines.start("shop", "1", never);
    expect(http.requests).toHaveLength(2);
    await clock.advance(10_000);
    expect(await stopped).toBe(9000);
  });

  test("destroys by force, and takes gone for done", async () => {
    const { machines, http } = setUp([{ body: '{"ok":true}' }, { status: 404 }]);
    await machines.destroy("shop", "1", never);
    await machines.destroy("shop", "1", never);
    expect(http.lines).toEqual(Array(2).fill("DELETE /v1/apps/shop/machines/1?force=true"));
  });

  test("an update says which version it was decided on", async () => {
    const { machines, http } = setUp([{ body: machineBody() }]);
    await machines.update("shop", "1", { config: { image: "x" }, currentVersion: "01V", skipLaunch: true }, never);
    expect(JSON.parse(http.requests[0]?.body ?? "")).toEqual({
      config: { image: "x" },
      current_version: "01V",
      skip_launch: true,
    });
  });
});

describe("wait", () => {
  test.each([
    { askedMs: 200, seconds: 1 },
    { askedMs: 1500, seconds: 2 },
    { askedMs: 300_000, seconds: 60 },
  ])("asks for whole seconds from 1 to 60: $askedMs ms is $seconds s", async ({ askedMs, seconds }) => {
    const { machines, http } = setUp([{}]);
    expect(await machines.wait("shop", "1", "stopped", askedMs, never)).toBe(true);
    expect(http.lines).toEqual([`GET /v1/apps/shop/machines/1/wait?state=stopped&timeout=${seconds}`]);
  });

  test("not reached in time is false", async () => {
    const { machines } = setUp([{ status: 408, body: '{"error":"deadline_exceeded"}' }]);
    expect(await machines.wait("shop", "1", "started", 1000, never)).toBe(false);
  });

  test("gone is what a wait for destroyed wants, and an error for any other", async () => {
    const { machines } = setUp([{ status: 404 }]);
    expect(await machines.wait("shop", "1", "destroyed", 1000, never)).toBe(true);
    await expect(machines.wait("shop", "1", "started", 1000, never)).rejects.toMatchObject({ class: "gone" });
  });

  test("the socket outlives a full minute, and the call is not repeated", async () => {
    const { clock, machines, http } = setUp(["silence"]);
    const error = await failureOf(clock, machines.wait("shop", "1", "started", 60_000, never));
    expect(messageOf(error)).toContain("took longer than 70000 ms");
    expect(http.requests).toHaveLength(1);
  });
});

describe("exec", () => {
  test.each([
    { reply: { exit_code: 3, stdout: "a", stderr: "b" }, expected: { exitCode: 3, stdout: "a", stderr: "b" } },
    { reply: { stdout: "a" }, expected: { exitCode: 0, stdout: "a", stderr: "" } },
    { reply: { exit_signal: 9, stdout: null }, expected: { exitCode: 137, stdout: "", stderr: "" } },
  ])("reads $reply", async ({ reply, expected }) => {
    const { machines, http } = setUp([{ body: JSON.stringify(reply) }]);
    expect(await machines.exec("shop", "1", ["/bin/sh", "-c", "true"], 90_000, never)).toEqual(expected);
    expect(JSON.parse(http.requests[0]?.body ?? "")).toEqual({ command: ["/bin/sh", "-c", "true"], timeout: 60 });
  });
});

describe("metadata", () => {
  const patch = { a: "1", b: null };

  test("is one PATCH", async () => {
    const { machines, http } = setUp([{ status: 204, body: "" }]);
    await machines.patchMetadata("shop", "1", patch, never);
    expect(http.lines).toEqual(["PATCH /v1/apps/shop/machines/1/metadata"]);
    expect(JSON.parse(http.requests[0]?.body ?? "")).toEqual({ metadata: { a: "1", b: "" } });
  });

  test.each([
    { status: 405, body: "" },
    { status: 404, body: "404 page not found" },
  ])("goes key by key where PATCH is unknown ($status)", async (unknown) => {
    const { machines, http } = setUp([unknown, { status: 204, body: "" }, { status: 404, body: "" }]);
    await machines.patchMetadata("shop", "1", patch, never);
    expect(http.lines.slice(1)).toEqual([
      "POST /v1/apps/shop/machines/1/metadata/a",
      "DELETE /v1/apps/shop/machines/1/metadata/b",
    ]);
  });

  test("of a machine that is gone is gone", async () => {
    const { machines, http } = setUp([{ status: 404, body: '{"error":"machine not found"}' }]);
    await expect(machines.patchMetadata("shop", "1", patch, never)).rejects.toMatchObject({ class: "gone" });
    expect(http.requests).toHaveLength(1);
  });
});

describe("requests", () => {
  test.each([
    { token: "abc", sent: "Bearer abc", reason: "a plain token" },
    { token: "Bearer abc\n", sent: "Bearer abc", reason: "pasted with its scheme" },
    { token: "FlyV1 fm2_x,fm2_y", sent: "FlyV1 fm2_x,fm2_y", reason: "a macaroon as Fly prints it" },
    { token: "fm2_x", sent: "FlyV1 fm2_x", reason: "a macaroon without its scheme" },
  ])("carry $reason", async ({ token, sent }) => {
    const { machines, http } = setUp([{}], { token });
    await machines.start("shop", "1", never);
    expect(http.requests[0]?.headers.authorization).toBe(sent);
  });

  test("cannot leave their path by a strange name", async () => {
    const { machines, http } = setUp([{}]);
    await machines.start("shop", "../../x?y", never);
    expect(http.lines).toEqual(["POST /v1/apps/shop/machines/..%2F..%2Fx%3Fy/start"]);
  });
});
