import stringWidth from "string-width";

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** The last lines of a terminal, which are drawn again and again; everything above them stays. */
export interface LiveArea {
  /** Writes `above` for good, then `lines` below it in place of those drawn before; they have to fit on the screen. */
  draw(lines: readonly string[], above?: readonly string[]): void;
}

/** Draws over the earlier lines one by one, which flickers less than to clear them first. */
export function createLiveArea(write: (text: string) => void, size: () => ScreenSize): LiveArea {
  let drawn: readonly string[] = [];
  let width = 0;
  return {
    draw(lines, above = []) {
      const { columns, rows } = size();
      const rowsOf = (texts: readonly string[]) =>
        texts.reduce((sum, text) => sum + Math.max(1, Math.ceil(stringWidth(text) / columns)), 0);
      // Terminals wrap what is wider than they have become; what has left the screen at the top is out of reach.
      const stale = Math.min(rowsOf(drawn), rows - 1);
      const surplus = Math.max(0, stale - rowsOf(above) - lines.length);
      // tmux keeps lines joined that it has wrapped, until they are cleared. It copies a screen that is cleared as a
      // whole into its history, so the clearing begins at the second line.
      const clearing = columns === width || stale < 2 ? "" : `\u001b[K\n\u001b[J${up(1)}`;
      const fresh = [...above, ...lines, ...Array<string>(surplus).fill("")];
      write(
        `${up(stale)}${clearing}${fresh.map((text) => `${text}${clearRest(text, columns)}\n`).join("")}${up(surplus)}`,
      );
      drawn = lines;
      width = columns;
    },
  };
}

/** At the right edge it would clear the last character of the line. */
function clearRest(text: string, columns: number): string {
  const width = stringWidth(text);
  return width > 0 && width % columns === 0 ? "" : "\u001b[K";
}

function up(rows: number): string {
  return rows === 0 ? "" : `\u001b[${rows}A`;
}
