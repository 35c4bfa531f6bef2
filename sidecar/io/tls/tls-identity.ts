/**
 * Who a certificate speaks for. Only Subject Alternative Names count (RFC 9525 §2): the common name was never checked
 * by anyone who issued it.
 */

/** A SPIFFE id may have 2,048 bytes; what is longer is nobody. */
const identityCharactersMax = 2048;

export interface AlternativeName {
  /** `URI`, `DNS`, `IP Address`, … */
  readonly kind: string;
  readonly value: string;
}

/** The first URI, else the first DNS name; '' when there is neither. */
export function identityOf(subjectAltName: string | undefined): string {
  const names = alternativeNames(subjectAltName ?? '');
  const name = names.find(({ kind }) => kind === 'URI') ?? names.find(({ kind }) => kind === 'DNS');
  return name === undefined || name.value.length > identityCharactersMax ? '' : name.value;
}

/**
 * The names in node's one-line form: `DNS:a.example, URI:spiffe://b/c`. A value that could be mistaken for more than one
 * name is there as a JSON string (CVE-2021-44532), so commas inside quotes separate nothing.
 */
export function alternativeNames(line: string): AlternativeName[] {
  const names: AlternativeName[] = [];
  for (const [, kind, quoted, plain] of line.matchAll(/([^:,"]+):(?:("(?:[^"\\]|\\.)*")|([^,"]*))(?:, |$)/gy)) {
    const value = quoted === undefined ? plain : unquoted(quoted);
    if (kind !== undefined && value !== undefined) names.push({ kind, value });
  }
  return names;
}

function unquoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
