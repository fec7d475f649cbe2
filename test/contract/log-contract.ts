// What every log store must do.
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogGapError } from "../../controller/store/errors.ts";
import type { LogStore } from "../../controller/store/store.ts";
import { virtualClock } from "../virtual-clock.ts";
import type { StoreFactory, StoreUnderTest } from "./store-contract.ts";

const STREAM = "uid-1/build/1/stdout";

export function logContract(makeStore: StoreFactory): void {
  let database: StoreUnderTest;
  let logs: LogStore;
  beforeEach(async () => {
    database = await makeStore(virtualClock());
    logs = database.logs;
  });
  afterEach(() => database.close());

  const bytes = (text: string) => new TextEncoder().encode(text);
  const text = async (offset = 0, limit = 1 << 26, stream = STREAM) =>
    Buffer.from(await logs.read(stream, offset, limit)).toString();

  test("bytes come back as they were appended, from any offset", async () => {
    await logs.append(STREAM, 0, bytes("hello "));
    await logs.append(STREAM, 6, bytes("world"));
    expect(await text()).toBe("hello world");
    expect(await text(3, 5)).toBe("lo wo");
    expect(await text(11)).toBe("");
    expect(await text(0, 10, "uid-1/none")).toBe("");
    expect(await logs.size(STREAM)).toBe(11);
    expect(await logs.size("uid-1/none")).toBe(0);
  });

  test("appending again adds only what is new", async () => {
    await logs.append(STREAM, 0, bytes("abc"));
    await logs.append(STREAM, 0, bytes("abc"));
    await logs.append(STREAM, 1, bytes("bcde"));
    await logs.append(STREAM, 5, bytes(""));
    expect(await text()).toBe("abcde");
  });

  test("of two that append the same at once, one adds it", async () => {
    await Promise.all([logs.append(STREAM, 0, bytes("abc")), logs.append(STREAM, 0, bytes("abcd"))]);
    expect(await text()).toBe("abcd");
  });

  test("a gap is refused and says where to go on", async () => {
    await logs.append(STREAM, 0, bytes("abc"));
    const gap = logs.append(STREAM, 5, bytes("x"));
    await expect(gap).rejects.toThrow(LogGapError);
    await expect(gap).rejects.toMatchObject({ received: 3 });
    expect(await text()).toBe("abc");
  });

  test("what is past the limit is counted and dropped, and leaves no hole", async () => {
    const mebibyte = 1024 * 1024;
    const limit = 16 * mebibyte;
    for (let at = 0; at < limit - mebibyte; at += mebibyte) await logs.append(STREAM, at, new Uint8Array(mebibyte));
    await logs.append(STREAM, limit - mebibyte, Buffer.alloc(mebibyte + 10, "z"));
    await logs.append(STREAM, limit + 10, bytes("more"));
    expect(await logs.size(STREAM)).toBe(limit + 14);
    expect((await logs.read(STREAM, 0, 1 << 26)).length).toBe(limit);
    expect(await text(limit - 3)).toBe("zzz");
  });

  test("streams are found and dropped by what their names begin with", async () => {
    for (const name of ["uid-1/b/1/stdout", "uid-1/a/1/stderr", "uid-10/a/1/stdout"]) {
      await logs.append(name, 0, bytes(name));
    }
    expect(await logs.streams("uid-1/")).toEqual(["uid-1/a/1/stderr", "uid-1/b/1/stdout"]);
    await logs.drop("uid-1/");
    expect(await logs.streams("uid-1")).toEqual(["uid-10/a/1/stdout"]);
    expect(await text(0, 100, "uid-1/b/1/stdout")).toBe("");
    expect(await text(0, 100, "uid-10/a/1/stdout")).toBe("uid-10/a/1/stdout");
    await logs.append("uid-1/b/1/stdout", 0, bytes("again"));
    expect(await text(0, 100, "uid-1/b/1/stdout")).toBe("again");
  });

  test("changed resolves when a stream below the prefix grows, or with the signal", async () => {
    const stop = new AbortController();
    let [grown, stopped] = [false, false];
    const waiting = logs.changed("uid-1/", stop.signal).then(() => {
      grown = true;
    });
    const other = logs.changed("uid-2/", stop.signal).then(() => {
      stopped = true;
    });
    await logs.append("uid-3/x", 0, bytes("x"));
    expect([grown, stopped]).toEqual([false, false]);
    await logs.append(STREAM, 0, bytes("x"));
    await waiting;
    expect([grown, stopped]).toEqual([true, false]);
    stop.abort();
    await other;
    await logs.changed("uid-1/", stop.signal);
  });
}
