// AbortController and AbortSignal without Node's event target beneath them: a reconcile makes several, and a simulation
// reconciles thousands of times a second. The same meaning; a listener is called with nothing, in the order of listening.

type Listener = () => void;

/** One for all: nobody looks at where an abort without a reason came from. */
const ABORTED = new DOMException("This operation was aborted", "AbortError");

class LightAbortSignal {
  aborted = false;
  reason: unknown;
  #listeners: Listener[] = [];

  static any(signals: readonly AbortSignal[]): LightAbortSignal {
    const joint = new LightAbortSignal();
    for (const signal of signals) {
      const follow = () => joint.end(signal.reason);
      if (signal.aborted) follow();
      else signal.addEventListener("abort", follow);
    }
    return joint;
  }
  addEventListener(_type: "abort", listener: Listener): void {
    if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }
  removeEventListener(_type: "abort", listener: Listener): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }
  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }
  /** Node's own function of this name asks for it. */
  setMaxListeners(): void {}
  end(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = []; // a signal aborts once
    for (const listener of listeners) listener();
  }
}

class LightAbortController {
  readonly signal = new LightAbortSignal();
  abort(reason: unknown = ABORTED): void {
    this.signal.end(reason);
  }
}

/** For the rest of the process's life. Signals that exist already go on as they are. */
export function lightAbort(): void {
  Object.assign(globalThis, { AbortController: LightAbortController, AbortSignal: LightAbortSignal });
}
