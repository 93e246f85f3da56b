import xterm from "@xterm/headless";

/** A terminal as people see it: what is written to it ends up on its screen or, further up, in its history. */
export interface Screen {
  readonly size: () => { readonly columns: number; readonly rows: number };
  readonly write: (text: string) => void;
  /** Everything that was written, escape sequences and all. */
  readonly written: () => string;
  /** The user drags the window's corner. */
  resize(columns: number, rows: number): Promise<void>;
  /** The lines of the history and of the screen, each whole where it is wrapped, without the empty ones at the end. */
  history(): Promise<readonly string[]>;
  /** The lines of the screen alone. */
  visible(): Promise<readonly string[]>;
}

export function openScreen(columns: number, rows: number): Screen {
  // convertEol: what the driver of a real terminal does with a line feed.
  const terminal = new xterm.Terminal({
    cols: columns,
    rows,
    scrollback: 10_000,
    convertEol: true,
    allowProposedApi: true,
  });
  const texts: string[] = [];
  const written = () => new Promise<void>((resolve) => terminal.write("", resolve));
  const lines = async (isVisible: boolean): Promise<readonly string[]> => {
    await written();
    const { active } = terminal.buffer;
    const found: string[] = [];
    for (let at = isVisible ? active.baseY : 0; at < active.length; at++) {
      const line = active.getLine(at);
      const isContinued = active.getLine(at + 1)?.isWrapped === true;
      const text = line?.translateToString(!isContinued) ?? "";
      found.push(line?.isWrapped === true ? `${found.pop() ?? ""}${text}` : text);
    }
    return found.slice(0, found.findLastIndex((line) => line !== "") + 1);
  };
  return {
    size: () => ({ columns: terminal.cols, rows: terminal.rows }),
    write: (text) => {
      texts.push(text);
      terminal.write(text);
    },
    written: () => texts.join(""),
    async resize(toColumns, toRows) {
      await written();
      terminal.resize(toColumns, toRows);
    },
    history: () => lines(false),
    visible: () => lines(true),
  };
}
