// Runs all controllers, and lets any part wake one object of another kind by name.
import type { Key } from "../store/store.ts";
import type { Controller } from "./controller.ts";

export interface Manager {
  /** Looks at an object soon; unknown kinds are ignored. */
  wake(kind: string, key: Key): void;
  add(controller: Controller): void;
  readonly controllers: readonly Controller[];
  /** Resolves when every controller has stopped after the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createManager(): Manager {
  const controllers: Controller[] = [];
  return {
    controllers,
    add: (controller) => controllers.push(controller),
    wake: (kind, key) => controllers.find((each) => each.kind === kind)?.enqueue(key),
    run: async (signal) => {
      await Promise.all(controllers.map((each) => each.run(signal)));
    },
  };
}
