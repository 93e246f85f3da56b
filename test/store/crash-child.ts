import { readFileSync, writeSync } from "node:fs";
import { openStore } from "../../src/store/index.ts";
import { type Scenario, scenario } from "./scenario.ts";

/** Runs the scenario and kills itself at the step whose number it is given; says on stdout what was done until then. */
const [dir = "", input = "", last = "0"] = process.argv.slice(2);
let steps = 0;
const store = await openStore(dir, {
  observer: (event) => {
    if (event.type !== "step") return;
    steps += 1;
    if (steps === Number(last)) {
      writeSync(1, `killed ${event.state} ${event.detail}\n`);
      process.kill(process.pid, "SIGKILL");
    }
  },
});
await scenario(store, JSON.parse(readFileSync(input, "utf8")) as Scenario, (line) => writeSync(1, `${line}\n`));
