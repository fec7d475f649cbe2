// Takes names from a queue, reads the object from the store just before acting, and reconciles it. One switch decides
// when a name comes back; it is the whole policy.
import type { AnyResource } from "../../crds/resource.ts";
import type { Clock } from "../kernel/clock.ts";
import { AssertionError, ConflictError, messageOf, TerminalError, TransientError } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import type { Random } from "../kernel/random.ts";
import { jitter } from "../kernel/random.ts";
import type { Key, Store } from "../store/store.ts";
import { runInformer } from "./informer.ts";
import { createQueue, type Queue } from "./queue.ts";
import type { Reconciler, Trigger } from "./reconciler.ts";

export interface ControllerOptions<R extends AnyResource> {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly reconciler: Reconciler<R>;
  readonly triggers?: readonly Trigger[];
  readonly workers: number;
  /** Every object is looked at this often even when nothing happens. */
  readonly resyncMs: number;
  observe?(result: Outcome["result"], durationMs: number): void;
  /** An assertion failed: the process must not go on. */
  fatal(error: Error): void;
}

export interface Controller {
  readonly kind: string;
  readonly queue: Queue;
  enqueue(key: Key): void;
  /** Resolves when all workers have finished after the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

type Outcome =
  | { readonly result: "settled" }
  | { readonly result: "gone" }
  | { readonly result: "requeue"; readonly afterMs: number }
  | { readonly result: "conflict" }
  | { readonly result: "stalled"; readonly error: TerminalError }
  | { readonly result: "failed"; readonly error: unknown; readonly afterMs?: number | undefined };

export function createController<R extends AnyResource>(options: ControllerOptions<R>): Controller {
  const { store, clock, random, reconciler, resyncMs } = options;
  const kind = reconciler.kind;
  const log = options.log.child({ kind: kind.kind });
  const queue = createQueue({ clock, random });
  const enqueue = (key: Key) => queue.add(nameOf(key));

  async function work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const name = await queue.take(signal).catch(() => undefined /* aborted: the loop ends */);
      if (name === undefined) return;
      const began = clock.monotonic();
      const outcome = await reconcileNamed(name, signal);
      options.observe?.(outcome.result, clock.monotonic() - began);
      settle(name, outcome);
      queue.done(name);
    }
  }

  async function reconcileNamed(name: string, signal: AbortSignal): Promise<Outcome> {
    try {
      const object = await store.get(kind, keyOf(name));
      if (!object) return { result: "gone" };
      const { requeueAfterMs } = await reconciler.reconcile(object, signal);
      return requeueAfterMs === undefined ? { result: "settled" } : { result: "requeue", afterMs: requeueAfterMs };
    } catch (error) {
      if (error instanceof AssertionError) options.fatal(error);
      if (error instanceof ConflictError) return { result: "conflict" };
      if (error instanceof TerminalError) return { result: "stalled", error };
      return { result: "failed", error, afterMs: error instanceof TransientError ? error.retryAfterMs : undefined };
    }
  }

  function settle(name: string, outcome: Outcome): void {
    switch (outcome.result) {
      case "gone":
        queue.forget(name);
        break;
      case "settled":
        queue.forget(name);
        queue.addAfter(name, jitter(random, resyncMs));
        break;
      case "requeue":
        queue.forget(name);
        queue.addAfter(name, Math.min(outcome.afterMs, resyncMs));
        break;
      case "conflict":
        queue.addRateLimited(name);
        break;
      case "stalled":
        log.warn({ name, error: messageOf(outcome.error) }, "stalled until the specification changes");
        queue.forget(name);
        queue.addAfter(name, jitter(random, resyncMs));
        break;
      case "failed":
        log.warn({ name, error: messageOf(outcome.error) }, "reconcile failed; trying again");
        if (outcome.afterMs === undefined) queue.addRateLimited(name);
        else queue.addAfter(name, outcome.afterMs);
        break;
    }
  }

  return {
    kind: kind.kind,
    queue,
    enqueue,
    async run(signal) {
      const own = runInformer(
        {
          store,
          kind,
          clock,
          log,
          changed: ({ metadata }) => enqueue(metadata),
          deleted: ({ metadata }) => reconciler.forget?.(metadata.uid),
        },
        signal,
      );
      const wake = (trigger: Trigger) => (object: AnyResource) => trigger.names(object).forEach(enqueue);
      const others = (options.triggers ?? []).map((trigger) =>
        runInformer({ store, kind: trigger.kind, clock, log, changed: wake(trigger), deleted: wake(trigger) }, signal),
      );
      const workers = Array.from({ length: options.workers }, () => work(signal));
      await Promise.all([own, ...others, ...workers]);
      queue.close();
    },
  };
}

function nameOf({ namespace, name }: Key): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function keyOf(name: string): Key {
  const slash = name.indexOf("/");
  return slash < 0 ? { name } : { namespace: name.slice(0, slash), name: name.slice(slash + 1) };
}
