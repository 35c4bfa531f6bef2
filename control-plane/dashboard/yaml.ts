/**
 * Writes a policy as the YAML that its author would write. Only what policies are made of (objects, lists, strings,
 * numbers, booleans), which is why a library of 30 KB is not needed to show them.
 */
export function toYaml(value: unknown): string {
  return lines(value, 0).join('\n');
}

function lines(value: unknown, depth: number): string[] {
  const indent = '  '.repeat(depth);
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown) => {
      const [first = '', ...rest] = lines(item, depth + 1);
      return [`${indent}- ${first.trimStart()}`, ...rest];
    });
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, member]) =>
      isNested(member) ? [`${indent}${key}:`, ...lines(member, depth + 1)] : [`${indent}${key}: ${scalar(member)}`],
    );
  }
  return [indent + scalar(value)];
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function scalar(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[]' : '{}';
  // A string that YAML would read as something else is quoted.
  if (
    typeof value === 'string' &&
    (/^$|^[\s\d.+-]*$|^(true|false|null|yes|no|on|off|~)$|[:#] |^[-?:,[\]{}#&*!|>'"%@`]|\s$/i.test(value) ||
      value.includes('\n'))
  )
    return JSON.stringify(value);
  return String(value);
}
