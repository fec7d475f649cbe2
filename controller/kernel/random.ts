// Chance comes in as an argument, so a seed replays a whole run. Cryptographic keys do not come from here.
import { randomBytes, randomUUID } from "node:crypto";

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A version 4 UUID. */
  uuid(): string;
}

export const systemRandom: Random = {
  next: () => randomBytes(4).readUInt32BE() / 2 ** 32,
  uuid: () => randomUUID(),
};

/** A small seeded generator (mulberry32): the same seed gives the same sequence on every platform. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join("");
  return {
    next,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${"89ab"[Math.floor(next() * 4)]}${hex(3)}-${hex(12)}`,
  };
}

const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** `length` characters that cannot form words, as Kubernetes appends to `generateName`. */
export function nameSuffix(random: Random, length = 5): string {
  return Array.from({ length }, () => SUFFIX_ALPHABET[Math.floor(random.next() * SUFFIX_ALPHABET.length)]).join("");
}

/** `ms` spread by ±`ratio`, so that many timers set together do not fire together. */
export function jitter(random: Random, ms: number, ratio = 0.1): number {
  return ms * (1 + ratio * (2 * random.next() - 1));
}
