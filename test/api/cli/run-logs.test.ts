import { describe, expect, test } from "vitest";
import { createLogPrinter, type LogChunk } from "../../../api/cli/run-logs.ts";

function printed(chunks: readonly LogChunk[], names: boolean): string {
  const written: Buffer[] = [];
  const printer = createLogPrinter((data) => void written.push(Buffer.from(data)), names);
  for (const chunk of chunks) printer.print(chunk);
  printer.flush();
  return Buffer.concat(written).toString("utf8");
}

const chunk = (offset: number, data: string, more: Partial<LogChunk> = {}): LogChunk => ({
  step: "build",
  attempt: 1,
  stream: "stdout",
  offset,
  data,
  ...more,
});

describe("the log printer", () => {
  test("joins pieces to lines, wherever they were cut", () => {
    expect(printed([chunk(0, "o"), chunk(1, "ne\ntw"), chunk(6, "o\n")], true)).toBe("build | one\nbuild | two\n");
  });

  test("joins a character that was cut between two pieces", () => {
    const bytes = Buffer.from("é\n");
    const piece = (offset: number, data: Buffer) => chunk(offset, data.toString("base64"), { encoding: "base64" });
    expect(printed([piece(0, bytes.subarray(0, 1)), piece(1, bytes.subarray(1))], true)).toBe("build | é\n");
  });

  test("shows a byte once, however often it comes", () => {
    expect(printed([chunk(0, "añb\n"), chunk(0, "añb\ncd\n"), chunk(5, "cd\n")], true)).toBe(
      "build | añb\nbuild | cd\n",
    );
  });

  test("does not mix the unfinished lines of steps and streams", () => {
    const chunks = [
      chunk(0, "out "),
      chunk(0, "err", { stream: "stderr" }),
      chunk(0, "x\n", { step: "test" }),
      chunk(4, "put\n"),
    ];
    expect(printed(chunks, true)).toBe("test | x\nbuild | out put\nbuild | err\n");
  });

  test("without names it changes nothing", () => {
    expect(printed([chunk(0, "a"), chunk(1, "b\r\n\n")], false)).toBe("ab\r\n\n");
  });

  test("empty lines keep their name", () => {
    expect(printed([chunk(0, "\n\na\n")], true)).toBe("build | \nbuild | \nbuild | a\n");
  });
});
