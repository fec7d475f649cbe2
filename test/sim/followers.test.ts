// A view that is not the truth is seen, and one that is put together from many connections is the truth.
import { expect, test } from "vitest";
import { seededRandom } from "../../controller/kernel/random.ts";
import { openSqlite } from "../../controller/store/sqlite.ts";
import { instanceKind } from "../../crds/instance.ts";
import { anInstance } from "../instance-fixture.ts";
import { virtualClock } from "../virtual-clock.ts";
import { createFollowers } from "./followers.ts";

test("followers see what is there, however often history is lost to them; and what they do not see is told", async () => {
  const clock = virtualClock();
  const random = seededRandom(1);
  const history = { maxAgeMs: 1000, maxEvents: 2 };
  const database = await openSqlite({ file: ":memory:", clock, random, history });
  const violations: string[] = [];
  const followers = createFollowers({
    clock,
    random,
    calm: () => false,
    violated: (what) => void violations.push(what),
  });
  const { store } = database;
  const truth = async () => (await store.list(instanceKind)).items;
  const { apiVersion, kind, spec } = anInstance();
  const metadata = { name: "box", namespace: "default", labels: { team: "red" } };
  const key = { namespace: "default", name: "box" };
  followers.follow(store);
  await store.create(instanceKind, () => ({ apiVersion, kind, metadata, spec: JSON.parse(JSON.stringify(spec)) }));
  expect(followers.behind(await truth())).toHaveLength(2); // of red, and of all
  for (let turn = 0; turn < 40; turn += 1) {
    const team = turn % 3 === 0 ? "blue" : "red";
    await store.update(instanceKind, key, (now) => ({
      ...now,
      metadata: { ...now.metadata, labels: { team, turn: `${turn}` } },
    }));
    await clock.advance(4000);
    await database.compact();
  }
  await clock.advance(60_000);
  expect(followers.behind(await truth())).toEqual([]);
  await store.delete(instanceKind, key);
  await clock.advance(120_000);
  expect(followers.behind([])).toEqual([]);
  expect(violations).toEqual([]);
  await database.close();
});
