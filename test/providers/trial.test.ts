import { toyRecordProvider, toyRRsetProvider } from "./toy-adapters.ts";
import { startToyService } from "./toy-service.ts";
import { tryAdapter } from "./trial.ts";

tryAdapter({ provider: toyRecordProvider(), shape: "record", start: startToyService });
tryAdapter({ provider: toyRRsetProvider(), shape: "rrset", start: startToyService });
tryAdapter({ provider: toyRRsetProvider({}, false), shape: "rrset", start: startToyService, unconditional: "a toy" });
