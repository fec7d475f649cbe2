// Identifiers in the shapes of Fly's own, from the injected randomness.
import type { Random } from "../kernel/random.ts";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const pick = (random: Random, alphabet: string, length: number) =>
  Array.from({ length }, () => alphabet[Math.floor(random.next() * alphabet.length)]).join("");

/** 14 hexadecimal digits. */
export const machineId = (random: Random) => pick(random, "0123456789abcdef", 14);
export const MACHINE_ID = /^[0-9a-f]{14}$/;

export const volumeId = (random: Random) => `vol_${pick(random, "0123456789abcdefghijklmnopqrstuvwxyz", 16)}`;
export const leaseNonce = (random: Random) => pick(random, "0123456789abcdef", 12);

/** 26 characters, sortable by time. */
export function ulid(nowMs: number, random: Random): string {
  let time = "";
  for (let rest = nowMs, digit = 0; digit < 10; digit++, rest = Math.floor(rest / 32))
    time = CROCKFORD[rest % 32] + time;
  return time + pick(random, CROCKFORD, 16);
}

const FIRST = ["quiet", "bold", "late", "green", "small", "dry", "summer", "winter", "long", "still", "bright", "cold"];
const SECOND = ["river", "field", "cloud", "stone", "moon", "leaf", "snow", "wave", "pine", "star", "frost", "dawn"];

/** A name for a machine that was given none, such as `quiet-river-1234`. */
export function machineName(random: Random): string {
  const word = (words: readonly string[]) => words[Math.floor(random.next() * words.length)];
  return `${word(FIRST)}-${word(SECOND)}-${pick(random, "0123456789", 4)}`;
}

/**
 * An address in 127.64.0.0/10: on Linux all of 127.0.0.0/8 is this computer's and can be bound without preparation, so
 * each machine has one of its own. Never .0 or .255 at the end.
 */
export function privateAddress(random: Random): string {
  const below = (limit: number) => Math.floor(random.next() * limit);
  return `127.${64 + below(64)}.${below(256)}.${1 + below(254)}`;
}
