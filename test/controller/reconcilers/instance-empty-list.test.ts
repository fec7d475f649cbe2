// A list that shows nothing for longer than the settle window: what it does not show need not be absent.
import { expect, test } from "vitest";
import { instanceWorld } from "../../instance-world.ts";

test("a machine whose create is unresolved is not left behind by a list that lacks machines known to live", async () => {
  const world = await instanceWorld();
  await world.apply("witness");
  await world.until("witness", "Ready");
  world.faults.ambiguous = { reply: "drop", actions: ["create"], times: 1 };
  world.faults.emptyList = true;
  await world.apply("box");
  await world.clock.advance(5_000);
  await world.remove("box");

  await world.clock.advance(120_000);
  delete world.faults.emptyList;
  await world.gone("box", 120_000);

  expect(world.live().map(({ config }) => config.metadata?.["flywheel-name"])).toEqual(["witness"]);
  await world.close();
});
