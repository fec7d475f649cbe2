// How many requests of each kind, and how long they took. Labels are patterns, never names: their number is bounded.
import { Gauge, Histogram, type Registry } from "prom-client";

export interface HttpMetrics {
  observe(method: string, route: string, code: number, seconds: number): void;
  streamOpened(): void;
  streamClosed(): void;
}

export function httpMetrics(registry: Registry): HttpMetrics {
  const duration = new Histogram({
    name: "flywheel_http_request_duration_seconds",
    help: "Time from request to response head, by method, route pattern and status code.",
    labelNames: ["method", "route", "code"] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    registers: [registry],
  });
  const streams = new Gauge({
    name: "flywheel_http_streams",
    help: "Watches and followed logs that are open.",
    registers: [registry],
  });
  // Looking up a series by its labels costs more than counting in it.
  const series = new Map<string, Histogram.Internal<"method" | "route" | "code">>();

  return {
    observe(method, route, code, seconds) {
      const key = `${method} ${code} ${route}`;
      let found = series.get(key);
      if (!found) {
        found = duration.labels(METHODS.has(method) ? method : "other", route, String(code));
        series.set(key, found);
      }
      found.observe(seconds);
    },
    streamOpened: () => streams.inc(),
    streamClosed: () => streams.dec(),
  };
}

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
