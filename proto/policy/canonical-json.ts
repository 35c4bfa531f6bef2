/**
 * JSON with one spelling per value: keys sorted by code unit, no spaces, as RFC 8785 has it. Two bundles that mean the
 * same are the same bytes, so they have the same hash.
 */
const depthMax = 64;

/** Takes what JSON can say; a member that is undefined is left out. Throws on cycles, as JSON.stringify does. */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > depthMax) throw new TypeError(`canonical JSON: nested more than ${depthMax} deep, or a cycle`);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null, depth + 1)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
    return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item, depth + 1)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
