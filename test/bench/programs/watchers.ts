// Clients of a watch, in a process of their own: as many connections as asked for, whose lines are counted and nothing else.
import { get, type IncomingMessage } from "node:http";
import { serve } from "./serve.ts";

const LINE_END = 0x0a;

let streams: readonly IncomingMessage[] = [];
let lines = 0;
let firstMs = 0;
let lastMs = 0;
let reached: { readonly count: number; tell(): void } | undefined;

function count(chunk: Buffer): void {
  for (let at = chunk.indexOf(LINE_END); at >= 0; at = chunk.indexOf(LINE_END, at + 1)) lines += 1;
  lastMs = performance.now();
  if (firstMs === 0) firstMs = lastMs;
  if (reached && lines >= reached.count) reached.tell();
}

function openOne(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`${url} answered ${answer.statusCode}`));
      answer.on("data", count);
      resolve(answer);
    }).once("error", reject);
  });
}

const procedures = {
  async open({ url, connections }: { readonly url: string; readonly connections: number }): Promise<void> {
    streams = await Promise.all(Array.from({ length: connections }, () => openOne(url)));
    [lines, firstMs] = [0, 0];
  },
  /** Resolves when so many lines have come: how many, and in which time from the first to the last. */
  async counted({ expected }: { readonly expected: number }): Promise<{ readonly lines: number; readonly ms: number }> {
    await new Promise<void>((resolve) => {
      reached = { count: expected, tell: resolve };
      if (lines >= expected) resolve();
    });
    return { lines, ms: lastMs - firstMs };
  },
  async close(): Promise<void> {
    for (const stream of streams) stream.destroy();
  },
};
export type WatchersProcedures = typeof procedures;
serve(procedures);
