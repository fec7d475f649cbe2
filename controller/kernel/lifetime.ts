// A signal that many parts listen to for as long as something lives; Node warns of more than ten listeners otherwise.
import { setMaxListeners } from "node:events";

export function lifetime(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
