import type { Observer } from "../core/events.ts";

/** Returns an observer that adds to each event which of several certificates it is about. */
export function namedObserver(observer: Observer, name: string): Observer {
  return (event) => {
    const isText = event.type === "warning" || event.type === "log";
    observer(
      isText ? { ...event, certificate: name, text: `${name}: ${event.text}` } : { ...event, certificate: name },
    );
  };
}
