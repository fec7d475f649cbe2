import { expect, test } from "vitest";
import { semaphore } from "../../../controller/kernel/semaphore.ts";

const never = new AbortController().signal;

test("a place given back twice is one place", async () => {
  const places = semaphore(1);
  const release = await places.acquire(never);
  release();
  release();
  await places.acquire(never);
  const third = new AbortController();
  const waiting = places.acquire(third.signal);
  third.abort(new Error("full"));
  await expect(waiting).rejects.toThrow("full");
});

test("places go to those who wait, in the order in which they came, past those who left", async () => {
  const places = semaphore(1);
  const release = await places.acquire(never);
  const order: string[] = [];
  const leaver = new AbortController();
  const left = places.acquire(leaver.signal);
  for (const name of ["a", "b"]) {
    void places.acquire(never).then((done) => {
      order.push(name);
      done();
    });
  }
  leaver.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  release();
  await places.acquire(never);
  expect(order).toEqual(["a", "b"]);
});
