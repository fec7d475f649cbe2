// What the controllers tell Prometheus. Labels have few values: never a name of an object or a machine.
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from "prom-client";
import type { BudgetCounters } from "./machines/budget.ts";
import type { Controller } from "./runtime/controller.ts";

export interface Metrics {
  reconciled(kind: string, result: string, durationMs: number): void;
  called(action: string, outcome: string, durationMs: number): void;
  orphans(count: number): void;
  /** Calls that our own rate budget lets wait, read when scraped. */
  budget(counters: () => BudgetCounters): void;
  /** Depth of the queues and state of the breaker, read when scraped. */
  watch(controllers: readonly Controller[], breakerOpen: () => boolean): void;
}

const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60];

export function createMetrics(registry: Registry): Metrics {
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const reconciles = new Counter({
    name: "flywheel_reconcile_total",
    help: "Reconciles by kind and result.",
    labelNames: ["kind", "result"],
    registers,
  });
  const durations = new Histogram({
    name: "flywheel_reconcile_duration_seconds",
    help: "Time in one reconcile.",
    labelNames: ["kind"],
    buckets: SECONDS,
    registers,
  });
  const calls = new Counter({
    name: "flywheel_fly_requests_total",
    help: "Calls to the Machines API by action and outcome.",
    labelNames: ["action", "outcome"],
    registers,
  });
  const callDurations = new Histogram({
    name: "flywheel_fly_request_duration_seconds",
    help: "Time of one call, without waiting for its turn.",
    labelNames: ["action"],
    buckets: SECONDS,
    registers,
  });
  const orphans = new Gauge({
    name: "flywheel_orphan_machines",
    help: "Machines of ours without an instance.",
    registers,
  });

  return {
    reconciled(kind, result, durationMs) {
      reconciles.inc({ kind, result });
      durations.observe({ kind }, durationMs / 1000);
    },
    called(action, outcome, durationMs) {
      calls.inc({ action, outcome });
      callDurations.observe({ action }, durationMs / 1000);
    },
    orphans: (count) => orphans.set(count),
    budget(counters) {
      new Gauge({
        name: "flywheel_fly_throttle_wait_seconds_total",
        help: "Time that calls have waited for Fly's rate limits, all together.",
        registers,
        collect() {
          this.set(counters().waitedMs / 1000);
        },
      });
      new Gauge({
        name: "flywheel_fly_throttled_total",
        help: "Calls that Fly answered with 429.",
        registers,
        collect() {
          this.set(counters().throttled);
        },
      });
    },
    watch(controllers, breakerOpen) {
      new Gauge({
        name: "flywheel_queue_depth",
        help: "Names that wait for a worker.",
        labelNames: ["kind"],
        registers,
        collect() {
          for (const { kind, queue } of controllers) this.set({ kind }, queue.depth().ready);
        },
      });
      new Gauge({
        name: "flywheel_breaker_open",
        help: "1 while the mass-vanish breaker is open.",
        registers,
        collect() {
          this.set(breakerOpen() ? 1 : 0);
        },
      });
    },
  };
}
