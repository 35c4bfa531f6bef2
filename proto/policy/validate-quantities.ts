/** Quantities against the smallest and largest value that the schema names. */
import { parseDuration } from '../kernel/duration.ts';
import { parseSize } from '../kernel/size.ts';
import { childPointer, errorsMax, type Finding, isRecord, member, show } from './problems.ts';
import { parseRate } from './rate.ts';

const parseQuantity: Readonly<Record<string, (text: string) => number | undefined>> = {
  duration: parseDuration,
  size: parseSize,
  rate: parseRate,
};

/** As deep as the schema, never as deep as the value. */
export function quantitiesOutOfRange(schema: unknown, value: unknown, pointer: string): Finding[] {
  if (Array.isArray(value)) {
    const items = member(schema, 'items');
    return value.slice(0, errorsMax).flatMap((item, i) => quantitiesOutOfRange(items, item, childPointer(pointer, i)));
  }
  if (isRecord(value)) {
    const properties = member(schema, 'properties');
    if (!isRecord(properties)) return [];
    return Object.keys(properties).flatMap((name) =>
      quantitiesOutOfRange(properties[name], member(value, name), childPointer(pointer, name)),
    );
  }
  const parse = parseQuantity[String(member(schema, 'x-weir-quantity'))];
  if (!parse || typeof value !== 'string' || value.length > 64) return [];
  const least = String(member(schema, 'x-weir-minimum'));
  const most = String(member(schema, 'x-weir-maximum'));
  const amount = parse(value);
  if (amount === undefined || (amount >= parse(least)! && amount <= parse(most)!)) return [];
  return [{ pointer, message: `${show(value)} is outside the allowed range, ${least} to ${most}` }];
}
