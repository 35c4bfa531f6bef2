/**
 * What the schema is built of: quantities with units, names, words out of a list, and objects that allow nothing but
 * what they name.
 */
import { Type } from 'typebox';

export const dnsLabelPattern = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$';
/** A field name of RFC 9110 §5.1; pseudo-headers begin with a colon and are not among them. */
export const headerNamePattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
/** Gateway API durations (GEP-2257). */
export const durationPattern = '^([0-9]{1,5}(h|m|s|ms)){1,4}$';
export const sizePattern = '^[0-9]{1,10}(B|KiB|MiB|GiB)$';
export const ratePattern = '^[0-9]{1,9}([.][0-9]{1,6})?/(s|m|h)$';

interface QuantityOptions {
  readonly min: string;
  readonly max: string;
  readonly default?: string;
  readonly description: string;
  readonly examples?: readonly string[];
}

const quantity = (kind: 'duration' | 'size' | 'rate', pattern: string, { min, max, ...rest }: QuantityOptions) =>
  Type.String({
    ...rest,
    pattern,
    maxLength: 32,
    'x-weir-quantity': kind,
    'x-weir-minimum': min,
    'x-weir-maximum': max,
  });

export const duration = (options: QuantityOptions) => quantity('duration', durationPattern, options);
export const size = (options: QuantityOptions) => quantity('size', sizePattern, options);
export const rate = (options: QuantityOptions) => quantity('rate', ratePattern, options);
export const dnsLabel = (description: string) => Type.String({ description, pattern: dnsLabelPattern, maxLength: 63 });
export const oneOf = <const Words extends readonly string[]>(
  words: Words,
  options: { description: string; default?: Words[number] },
) => Type.Enum<[...Words]>([...words], { type: 'string', ...options });

export const strict = { additionalProperties: false } as const;
export const oneMember = { ...strict, minProperties: 1, maxProperties: 1 } as const;
export const marker = (description: string) => Type.Object({}, { ...strict, description });
