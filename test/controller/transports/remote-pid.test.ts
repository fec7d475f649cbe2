import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { announced, killLine, quoted, withoutAnnouncement } from "../../../controller/transports/remote-pid.ts";

async function strip(chunks: readonly string[]) {
  const pids: number[] = [];
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk))).pipe(
    withoutAnnouncement((pid) => pids.push(pid)),
  );
  let rest = "";
  for await (const chunk of stream) rest += String(chunk);
  return { pids, rest };
}

describe("the announcement of a process id", () => {
  test.each([
    { chunks: ["\u000112\u0002out"], pids: [12], rest: "out", reason: "whole" },
    { chunks: ["\u0001", "12", "\u0002", "o", "ut"], pids: [12], rest: "out", reason: "in pieces" },
    { chunks: ["motd\n\u000112\u0002out"], pids: [12], rest: "motd\nout", reason: "after a greeting" },
    { chunks: ["out"], pids: [], rest: "out", reason: "missing" },
    { chunks: ["\u00011"], pids: [], rest: "\u00011", reason: "cut off" },
    { chunks: ["\u000112\u0002\u000113\u0002"], pids: [12], rest: "\u000113\u0002", reason: "like one in the output" },
    {
      chunks: ["x".repeat(9000), "\u000112\u0002"],
      pids: [],
      rest: `${"x".repeat(9000)}\u000112\u0002`,
      reason: "too late",
    },
  ])("is taken out of the stream: $reason", async ({ chunks, pids, rest }) => {
    expect(await strip(chunks)).toEqual({ pids, rest });
  });

  test("quotes a command so that a shell gives it back", () => {
    expect(quoted("it's")).toBe("'it'\\''s'");
    expect(announced("echo 'a'", "stdout")).toContain("echo '\\''a'\\''");
  });

  test("a signal's name cannot carry a command", () => {
    expect(() => killLine(1, "KILL; rm -rf /")).toThrow("not a signal");
  });
});
