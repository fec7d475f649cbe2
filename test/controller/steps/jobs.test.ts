import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../controller/kernel/log.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { createJobs, type Job, type Jobs } from "../../../controller/steps/jobs.ts";
import { openSqlite, type SqliteDatabase } from "../../../controller/store/sqlite.ts";
import { type FakeMachines, fakeMachines } from "../../fake-machines.ts";
import { type VirtualClock, virtualClock } from "../../virtual-clock.ts";

const OPTIONS = { environment: {}, bootId: "boot-1" };
let clock: VirtualClock;
let database: SqliteDatabase;
let machines: FakeMachines;
let jobs: Jobs;
let woken: number;
let job: Job;

beforeEach(async () => {
  clock = virtualClock();
  const random = seededRandom(1);
  database = await openSqlite({ file: ":memory:", clock, random });
  machines = fakeMachines(clock);
  jobs = createJobs({ ...machines, logs: database.logs, clock, random, log: silentLog });
  woken = 0;
  job = {
    key: { run: "u", step: "s", attempt: 1 },
    uses: "shell",
    target: { app: "workers", machineId: "m1", uid: "i", host: "127.64.0.1", port: 2222 },
    wake: () => {
      woken += 1;
    },
  };
});
afterEach(async () => {
  await jobs.close();
  await database.close();
});

const signal = () => new AbortController().signal;
const start = () => jobs.start(job, {}, OPTIONS, signal());
const text = async () => Buffer.from(await database.logs.read("u/s/1/stdout", 0, 1e6)).toString();

test("output arrives while a job runs, without anybody looking", async () => {
  await start();
  machines.job("s").output.stdout = Buffer.from("first\n");
  await clock.advance(1000);
  expect(await text()).toBe("first\n");
  machines.job("s").output.stdout = Buffer.from("first\nsecond\n");
  await clock.advance(1000);
  expect(await text()).toBe("first\nsecond\n");
  expect(woken).toBe(0);
});

test("the end of a job wakes once, and is told only when its output is durable", async () => {
  await start();
  await clock.advance(1000);
  machines.exit("s", 5, "last words");
  await clock.advance(1000);
  expect(woken).toBe(1);
  expect(await text()).toBe("last words");
  expect(await jobs.look(job, signal())).toEqual({ state: "Exited", exitCode: 5 });
});

test("a machine that stops answering wakes once, and is found again", async () => {
  await start();
  machines.down.add("m1");
  await clock.advance(60_000);
  expect(woken).toBe(1);
  await expect(jobs.look(job, signal())).rejects.toThrow("away");
  machines.down.clear();
  machines.exit("s", 0, "after");
  await clock.advance(60_000);
  expect(woken).toBe(2);
  expect(await text()).toBe("after");
});

test("a job that was seen and is absent was taken away", async () => {
  await start();
  machines.job("s").observation = { state: "Absent" };
  await clock.advance(1000);
  expect(await jobs.look(job, signal())).toMatchObject({ state: "Lost" });
});

test("the answer to a cancel is not hidden by what the watcher saw before", async () => {
  await start();
  await jobs.cancel(job, 1000, signal());
  expect(await jobs.look(job, signal())).toEqual({ state: "Abandoned" });
});

test("a full log takes no more from the machine", async () => {
  const size = 16 * 1024 * 1024 + 1;
  await database.logs.append("u/s/1/stdout", 0, new Uint8Array(size));
  await start();
  machines.job("s").output.stdout = Buffer.alloc(size + 500);
  await clock.advance(1000);
  expect(await database.logs.size("u/s/1/stdout")).toBe(size);
});

test("closing ends every watcher", async () => {
  await start();
  await clock.settle();
  await jobs.close();
  expect(clock.sleepers).toBe(0);
});

test("more jobs than channels take turns", async () => {
  const many = Array.from({ length: 20 }, (_, index) => ({ ...job, key: { ...job.key, step: `s${index}` } }));
  for (const each of many) await jobs.start(each, {}, OPTIONS, signal());
  await clock.advance(5000);
  for (const each of many) machines.exit(each.key.step, 0);
  await clock.advance(15_000);
  for (const each of many) expect(await jobs.look(each, signal())).toEqual({ state: "Exited", exitCode: 0 });
  expect(woken).toBe(20);
});
