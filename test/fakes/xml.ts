/** An element of a document: its name, its attributes, and either children or text. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

/** Reads the XML that clients of AWS send: elements, attributes, text. Throws on anything malformed or more exotic. */
export function parseXml(source: string): XmlElement {
  const pattern = /<\?[^?]*\?>|<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w:.-]+="[^"]*")*)\s*(\/?)>|([^<]+)|(<)/g;
  const root = open("", "");
  const stack = [root];
  for (const [, closing, name = "", attributes = "", empty, text, stray] of source.matchAll(pattern)) {
    const top = stack.at(-1);
    if (top === undefined || stray !== undefined) throw new Error("malformed XML");
    if (text !== undefined) {
      top.text += unescapeXml(text);
    } else if (closing === "/") {
      if (top.name !== name || stack.length === 1) throw new Error(`</${name}> closes <${top.name}>`);
      stack.pop();
    } else if (name !== "") {
      const element = open(name, attributes);
      top.children.push(element);
      if (empty !== "/") stack.push(element);
    }
  }
  const [document, ...more] = root.children;
  if (document === undefined || more.length > 0 || stack.length !== 1 || root.text.trim() !== "") {
    throw new Error("malformed XML: not one document");
  }
  return document;
}

/** The text of a child; `undefined` when there is none. */
export function textOf(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

/** `<name>text</name>`; nothing for `undefined`. */
export function xml(name: string, content: string | number | boolean | undefined): string {
  return content === undefined ? "" : `<${name}>${escapeXml(String(content))}</${name}>`;
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function unescapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(#x[0-9a-f]+|#\d+|\w+);|&/gi, (whole, entity: string | undefined) => {
    if (entity === undefined) throw new Error("a bare & in XML");
    if (/^#x/i.test(entity)) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16));
    if (entity.startsWith("#")) return String.fromCodePoint(Number(entity.slice(1)));
    const character = named[entity];
    if (character === undefined) throw new Error(`the entity ${whole} does not exist`);
    return character;
  });
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[];
  text: string;
}

function open(name: string, attributes: string): OpenElement {
  const pairs = [...attributes.matchAll(/([\w:.-]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [
    key,
    unescapeXml(value),
  ]);
  return { name, attributes: Object.fromEntries(pairs), children: [], text: "" };
}
