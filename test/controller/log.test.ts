// What must never be read in a log.
import { describe, expect, test } from "vitest";
import { createLog, type LogLevel } from "../../controller/log.ts";

const SECRET = 'fo1_"quoted"/and+more';

function recorded(level: LogLevel = "debug") {
  const written: string[] = [];
  const destination = { write: (line: string) => void written.push(line) };
  return { log: createLog(level, { secrets: [SECRET, "", "abc"], destination }), written };
}

describe("a log line", () => {
  test.each([
    ["a message that quotes it", { message: `token ${SECRET} was refused` }, "x"],
    ["a field that holds it", { deep: { list: [SECRET] } }, "x"],
    ["an error that quotes it, and its stack", { error: new Error(`bad ${SECRET}`) }, "x"],
    ["the text of the line", {}, `using ${SECRET}`],
    ["a URL that carries it", { url: `https://x/?t=${encodeURIComponent(SECRET)}` }, "x"],
  ])("hides a known secret in %s", (_, fields, message) => {
    const { log, written } = recorded();
    log.info(fields, message);
    expect(written.join("")).toContain("[redacted]");
    expect(written.join("")).not.toMatch(/fo1_|fo1%5F/);
    JSON.parse(written.join(""));
  });

  test("hides fields that carry credentials by their name", () => {
    const { log, written } = recorded();
    log.info(
      {
        authorization: "Bearer one",
        headers: { authorization: "Bearer two" },
        request: { headers: { Authorization: "three" } },
        config: { env: { A: "four" } },
      },
      "x",
    );
    expect(written.join("")).not.toMatch(/one|two|three|four/);
  });

  test("does not take an empty or a very short secret for one", () => {
    const { log, written } = recorded();
    log.info({ word: "abc" }, "plain");
    expect(JSON.parse(written[0] ?? "")).toMatchObject({
      level: "info",
      msg: "plain",
      word: "abc",
      time: expect.any(String),
    });
  });

  test("carries the fields of its child", () => {
    const { log, written } = recorded();
    log.child({ part: "api" }).warn({ n: 1 }, "x");
    expect(JSON.parse(written[0] ?? "")).toMatchObject({ level: "warn", part: "api", n: 1 });
  });

  test("below the level is not written", () => {
    const { log, written } = recorded("info");
    log.debug({}, "x");
    expect(written).toEqual([]);
  });
});
