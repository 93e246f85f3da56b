import { thrownText } from "../core/thrown.ts";

/**
 * A function of the caller that hears of the work. It is called from within: what it throws would end the work half-way
 * with values in DNS, or the whole process where nobody waits. So it becomes a warning of the process, told once.
 */
export function harmless<E>(name: string, listener: (event: E) => unknown): (event: E) => void {
  let isTold = false;
  const tell = (error: unknown) => {
    if (isTold) return;
    isTold = true;
    process.emitWarning(`${name} failed, and the work went on: ${thrownText(error)}`, { code: "DNS01_LISTENER" });
  };
  return (event) => {
    try {
      const done = listener(event);
      if (done instanceof Promise) done.catch(tell);
    } catch (error) {
      tell(error);
    }
  };
}
