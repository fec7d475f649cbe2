// Durations in manifests are text such as `90s`, `1h30m`, `7d`: units are always visible.
import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PATTERN = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

/** Milliseconds of `1h30m`; undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!PATTERN.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(amount) * (UNITS[unit ?? ""] ?? 0);
  return Math.round(total);
}

/** Milliseconds of a duration that the schema has validated. */
export function durationMs(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new TypeError(`not a duration: ${text}`);
  return ms;
}

/** The shortest exact text: 5400000 → `1h30m`. */
export function formatDuration(ms: number): string {
  if (ms <= 0) return "0s";
  let rest = Math.round(ms);
  let text = "";
  for (const [unit, size] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
    ["ms", 1],
  ] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** A duration between `minMs` and `maxMs`, kept as the text the user wrote. */
export function duration(minMs: number, maxMs: number): z.ZodType<string> {
  const [minimumDuration, maximumDuration] = [formatDuration(minMs), formatDuration(maxMs)];
  return z
    .string()
    .superRefine((text, context) => {
      const ms = parseDuration(text);
      if (ms === undefined) {
        context.addIssue({ code: "custom", message: `must be a duration such as "30s", "10m" or "1h30m"` });
      } else if (ms < minMs || ms > maxMs) {
        context.addIssue({ code: "custom", message: `must be between ${minimumDuration} and ${maximumDuration}` });
      }
    })
    .meta({ format: "duration", minimumDuration, maximumDuration });
}

export const DAY_MS = 86_400_000;
