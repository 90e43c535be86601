/** The parts of a document that a program writes: between `<!-- figures: NAME -->` and `<!-- end -->`. */

/** All of them, by their names, in their order. */
export function writtenParts(document: string): Map<string, string> {
  const parts = document.matchAll(/<!-- figures: (\w+) -->\n(.*?)<!-- end -->/gs);
  return new Map([...parts].map(([, name = '', content = '']) => [name, content]));
}

/** The document with one part written anew. */
export function withPart(document: string, name: string, content: string): string {
  const part = new RegExp(`(<!-- figures: ${name} -->\n).*?(<!-- end -->)`, 's');
  if (!part.test(document)) throw new Error(`the document lacks the part ${name}`);
  return document.replace(part, (_part, begin: string, end: string) => `${begin}\n${content}\n\n${end}`);
}
