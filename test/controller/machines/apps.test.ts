import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { flyMachines } from "../../../controller/machines/client.ts";
import { virtualClock } from "../../virtual-clock.ts";
import { type Scripted, scriptedHttp } from "./scripted-http.ts";

const never = new AbortController().signal;
const TAKEN = { status: 422, body: '{"error":"Validation failed: Name has already been taken","status":"name_taken"}' };

async function ensure(organization: string, ...answers: Scripted[]) {
  const clock = virtualClock();
  const http = scriptedHttp(...answers);
  const machines = flyMachines({ http, baseUrl: "http://fly.test", token: "t", clock, random: seededRandom(1) });
  const outcome = machines.ensureApp("workers", organization, never).then(
    () => "ok",
    (error: unknown) => error,
  );
  await clock.advance(200_000);
  return { outcome: await outcome, http };
}

describe("the app", () => {
  test("that exists is left alone", async () => {
    const { outcome, http } = await ensure("acme", {});
    expect(outcome).toBe("ok");
    expect(http.lines).toEqual(["GET /v1/apps/workers"]);
  });

  test("that is absent is created in the organisation, and awaited while parts of Fly do not know it", async () => {
    const { outcome, http } = await ensure(
      "acme",
      { status: 404 },
      { status: 201 },
      { status: 404 },
      { status: 401 },
      {},
    );
    expect(outcome).toBe("ok");
    expect(JSON.parse(http.requests[1]?.body ?? "")).toEqual({ name: "workers", org_slug: "acme" });
    expect(http.requests).toHaveLength(5);
  });

  test("taken in the meantime by one of ours is ours", async () => {
    expect((await ensure("acme", { status: 404 }, TAKEN, {})).outcome).toBe("ok");
  });

  test("created by a call whose answer was lost is found", async () => {
    expect((await ensure("acme", { status: 404 }, new Error("reset"), {})).outcome).toBe("ok");
  });

  test.each([
    {
      answers: [{ status: 403 }],
      organization: "acme",
      says: /app "workers" belongs to another organisation.*WORKER_APP/,
    },
    {
      answers: [{ status: 404 }, TAKEN, { status: 404 }],
      organization: "acme",
      says: /organisation "acme".*WORKER_APP/,
    },
    { answers: [{ status: 404 }, { status: 403 }], organization: "acme", says: /no right to organisation "acme"/ },
    { answers: [{ status: 404 }], organization: "", says: /app "workers" does not exist.*FLY_ORG_SLUG/ },
    { answers: [{ status: 401 }], organization: "acme", says: /401.*FLY_API_TOKEN/ },
    { answers: [{ status: 404 }, { status: 422 }], organization: "acme", says: /422.*WORKER_APP/ },
  ])("that we may not have is a refusal with a remedy: $says", async ({ answers, organization, says }) => {
    const { outcome } = await ensure(organization, ...answers);
    expect(outcome).toMatchObject({ class: "refused", message: expect.stringMatching(says) });
  });

  test("that never appears after its creation is trouble, not silence", async () => {
    const { outcome } = await ensure("acme", { status: 404 }, { status: 201 }, { status: 404 });
    expect(outcome).toMatchObject({ class: "down", message: expect.stringContaining("cannot be read") });
  });
});
