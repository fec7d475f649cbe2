// Three projects: `tidy` reads the source, and whether each mutant still fits it (part of `npm run check`), `unit` touches neither network nor real time,
// `e2e` starts real processes on loopback.
import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;

const TIDY = ["test/tidy.test.ts", "test/sim/mutants/fit.test.ts"];

export default defineConfig({
  root,
  test: {
    projects: [
      { test: { name: "tidy", root, include: TIDY } },
      {
        test: {
          name: "unit",
          root,
          include: ["test/**/*.test.ts"],
          exclude: [...TIDY, "test/e2e/**"],
          setupFiles: ["test/no-network.ts"],
        },
      },
      {
        test: {
          name: "e2e",
          root,
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/e2e/build.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 }, // after the others: what is timed should not share the cores with them
        },
      },
    ],
  },
});
