// Load from a process of its own: as many POSTs as a number of connections can carry, each with a name of its own.
import { Pool } from "undici";
import { nameOf } from "../manifest.ts";
import { serve } from "./serve.ts";

export interface Writes {
  readonly origin: string;
  readonly path: string;
  readonly connections: number;
  /** The body around the name, which is put between them. */
  readonly head: string;
  readonly tail: string;
  /** Begins the names of this load. */
  readonly prefix: string;
}

export interface LoadOptions extends Writes {
  readonly seconds: number;
}

export interface Load {
  readonly perSecond: number;
  readonly count: number;
  readonly latenciesMs: readonly number[];
}

function run({ seconds, ...writes }: LoadOptions): Promise<Load> {
  const endMs = performance.now() + seconds * 1000;
  return post(writes, () => performance.now() < endMs);
}

function write({ count, ...writes }: Writes & { readonly count: number }): Promise<Load> {
  return post(writes, (begun) => begun < count);
}

async function post(
  { origin, path, connections, head, tail, prefix }: Writes,
  goesOn: (begun: number) => boolean,
): Promise<Load> {
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const headers = { "content-type": "application/json", accept: "application/json" };
  const latenciesMs: number[] = [];
  const beganMs = performance.now();
  let next = 0;

  async function connection(): Promise<void> {
    for (let nowMs = beganMs; goesOn(next); ) {
      const body = head + nameOf(prefix, next++) + tail;
      const answer = await pool.request({ method: "POST", path, headers, body });
      const text = await answer.body.text();
      if (answer.statusCode !== 201) throw new Error(`POST ${path} answered ${answer.statusCode} ${text}`);
      const doneMs = performance.now();
      latenciesMs.push(doneMs - nowMs);
      nowMs = doneMs;
    }
  }

  try {
    await Promise.all(Array.from({ length: connections }, connection));
  } finally {
    await pool.destroy();
  }
  const count = latenciesMs.length;
  return { perSecond: count / ((performance.now() - beganMs) / 1000), count, latenciesMs };
}

const procedures = { run, write };
export type LoadProcedures = typeof procedures;
serve(procedures);
