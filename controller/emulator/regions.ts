// Where machines can be placed. Codes and coordinates: Fly's documentation on regions (2026-08).
import { failed } from "./api-error.ts";
import type { Faults } from "./faults.ts";

const REGIONS = [
  ["ams", "Amsterdam, Netherlands", "europe"],
  ["arn", "Stockholm, Sweden", "europe"],
  ["bom", "Mumbai, India", "asia_pacific"],
  ["cdg", "Paris, France", "europe"],
  ["dfw", "Dallas, Texas (US)", "north_america"],
  ["ewr", "Secaucus, NJ (US)", "north_america"],
  ["fra", "Frankfurt, Germany", "europe"],
  ["gru", "Sao Paulo, Brazil", "south_america"],
  ["iad", "Ashburn, Virginia (US)", "north_america"],
  ["jnb", "Johannesburg, South Africa", "africa"],
  ["lax", "Los Angeles, California (US)", "north_america"],
  ["lhr", "London, United Kingdom", "europe"],
  ["nrt", "Tokyo, Japan", "asia_pacific"],
  ["ord", "Chicago, Illinois (US)", "north_america"],
  ["sin", "Singapore, Singapore", "asia_pacific"],
  ["sjc", "San Jose, California (US)", "north_america"],
  ["syd", "Sydney, Australia", "asia_pacific"],
  ["yyz", "Toronto, Canada", "north_america"],
] as const;

export const NEAREST = "iad";
const CODES: readonly string[] = REGIONS.map(([code]) => code);

const ALIASES: Readonly<Record<string, readonly string[]>> = {
  any: [NEAREST, ...CODES.filter((code) => code !== NEAREST)],
  us: ["iad", "ewr", "ord", "dfw", "lax", "sjc"],
  na: of("north_america"),
  eu: of("europe"),
  sa: of("south_america"),
  apac: of("asia_pacific"),
};

function of(area: string): readonly string[] {
  return REGIONS.filter(([, , each]) => each === area).map(([code]) => code);
}

export const isRegion = (code: string) => CODES.includes(code);

/** The first region of `iad,dfw` or of an alias such as `eu` that has room. */
export function place(expression: string | undefined, faults: Faults): string {
  const wanted = (expression || NEAREST).split(",").flatMap((each) => ALIASES[each.trim()] ?? [each.trim()]);
  const unknown = wanted.find((code) => !isRegion(code));
  if (unknown !== undefined) throw failed(400, `invalid_argument: region "${unknown}" not found`);
  const free = wanted.find((code) => !faults.fullRegions?.includes(code));
  if (free !== undefined) return free;
  throw failed(faults.capacityAs503 ? 503 : 422, "could not find a candidate host", "insufficient_capacity");
}

/** As GET /v1/platform/regions answers: PascalCase around, and full regions are missing. */
export function regionList(faults: Faults): Record<string, unknown> {
  const regions = REGIONS.filter(([code]) => !faults.fullRegions?.includes(code)).map(([code, name, area]) => ({
    code,
    name,
    geo_region: area,
    gateway_available: !["bom", "gru", "jnb"].includes(code),
    requires_paid_plan: false,
    deprecated: false,
  }));
  return { Regions: regions, Nearest: NEAREST };
}
