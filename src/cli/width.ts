import stringWidth from "string-width";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Cuts a text without colors to so many columns of a terminal, where some characters take two and some none. */
export function clip(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let width = 1;
  let kept = "";
  for (const { segment } of graphemes.segment(text)) {
    width += stringWidth(segment);
    if (width > columns) break;
    kept += segment;
  }
  return `${kept}…`;
}
