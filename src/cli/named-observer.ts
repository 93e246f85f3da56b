import type { Observer } from "../core/events.ts";

/** Says of every line of progress which of several certificates it is about. */
export function namedObserver(observer: Observer, name: string): Observer {
  return (event) => {
    switch (event.type) {
      case "phase":
        observer({ ...event, detail: event.detail === undefined ? name : `${name}: ${event.detail}` });
        break;
      case "warning":
      case "log":
        observer({ ...event, text: `${name}: ${event.text}` });
        break;
      default:
        observer(event);
    }
  };
}
