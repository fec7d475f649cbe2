// Fly's machine presets and the memory that each allows.
// Source: Fly's documentation on machine sizing and the presets of its Go client (2026-08).

export interface Guest {
  readonly cpu_kind: "shared" | "performance";
  readonly cpus: number;
  readonly memory_mb: number;
}

const SHARED_CPUS = [1, 2, 4, 6, 8];
const PERFORMANCE_CPUS = [1, 2, 4, 6, 8, 10, 12, 14, 16];

/** Per CPU, in MiB. */
export const MEMORY_BAND = {
  shared: { min: 256, max: 2048 },
  performance: { min: 2048, max: 8192 },
} as const;
export const MEMORY_STEP_MB = 256;

export const MACHINE_SIZES: ReadonlyMap<string, Guest> = new Map<string, Guest>([
  ...presets("shared-cpu", "shared", SHARED_CPUS),
  ...presets("performance", "performance", PERFORMANCE_CPUS),
]);

function presets(prefix: string, kind: Guest["cpu_kind"], counts: readonly number[]): [string, Guest][] {
  return counts.map((cpus) => [
    `${prefix}-${cpus}x`,
    { cpu_kind: kind, cpus, memory_mb: MEMORY_BAND[kind].min * cpus },
  ]);
}

/** What Fly is asked for: the preset with its memory replaced when `memoryMb` is given. */
export function guestOf(size: string, memoryMb: number | undefined): Guest {
  const preset = MACHINE_SIZES.get(size);
  if (!preset) throw new TypeError(`unknown machine size ${size}`);
  return { ...preset, memory_mb: memoryMb ?? preset.memory_mb };
}

/** Why this amount of memory does not fit the size, or undefined when it does. */
export function memoryProblem(size: string, memoryMb: number): string | undefined {
  const preset = MACHINE_SIZES.get(size);
  if (!preset) return undefined;
  const { min, max } = MEMORY_BAND[preset.cpu_kind];
  if (memoryMb % MEMORY_STEP_MB !== 0) return `must be a multiple of ${MEMORY_STEP_MB} MiB`;
  if (memoryMb < min * preset.cpus || memoryMb > max * preset.cpus) {
    return `must be between ${min * preset.cpus} and ${max * preset.cpus} MiB for size ${size}`;
  }
  return undefined;
}
