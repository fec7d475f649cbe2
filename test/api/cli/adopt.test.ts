import { expect, test } from "vitest";
import { testCli } from "./test-cli.ts";

const item = (outcome: string, message = "") => ({
  machine: "148e",
  state: "started",
  region: "iad",
  namespace: "default",
  name: "box",
  uid: "u",
  controller: "c",
  outcome,
  message,
});

async function cli(...items: readonly object[]) {
  const asked: object[] = [];
  const adopt = async (request: object) => {
    asked.push(request);
    return items;
  };
  return { asked, ...(await testCli({ adopt })) };
}

test("says of each machine what became of it, and fails when one was skipped", async () => {
  const done = await cli(item("adopted"), item("exists"));
  expect(await done.run("adopt --all")).toEqual({
    code: 0,
    err: "",
    out: `${["NAMESPACE   NAME    MACHINE   STATE     OUTCOME   MESSAGE", "default     box     148e      started   adopted", "default     box     148e      started   exists"].join("\n")}\n`,
  });
  const skipped = await cli(item("skipped", "belongs to controller c"));
  expect(await skipped.run("adopt --all")).toMatchObject({
    code: 1,
    out: expect.stringContaining("belongs to controller c"),
  });
});

test("asks for what was typed", async () => {
  const { run, asked } = await cli(item("adopted"));
  expect(await run("adopt --all --dry-run -n team-a --controller x --controller y")).toMatchObject({
    code: 0,
    out: expect.stringContaining("would adopt"),
  });
  await run("adopt 148e");
  expect(asked).toEqual([
    { controllers: ["x", "y"], dryRun: true, namespace: "team-a" },
    { machines: ["148e"], controllers: [], dryRun: false },
  ]);
});

test("a machine that is named and not there is an error; none at all is not", async () => {
  const { run } = await cli();
  expect(await run("adopt 148e")).toMatchObject({ code: 1, err: expect.stringContaining("machine 148e is not there") });
  expect(await run("adopt --all")).toMatchObject({ code: 0, out: expect.stringContaining("No machines found") });
});

test.each(["adopt", "adopt 148e --all"])("%s is typed wrong", async (line) => {
  expect(await (await cli()).run(line)).toMatchObject({ code: 2 });
});

test("the endpoint wants all or some, and needs controllers", async () => {
  const { send } = await cli();
  for (const body of [{}, { all: true, machines: ["a"] }, { all: false }, { machines: [] }, { al: true }])
    expect((await send("POST", "/api/adoptions", body)).status).toBe(400);
  const none = await testCli();
  expect(await none.send("POST", "/api/adoptions", { all: true })).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining("CONTROLLERS=none") } },
  });
});
