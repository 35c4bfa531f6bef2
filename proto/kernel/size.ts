/** Sizes as people write them: a whole number and `B`, `KiB`, `MiB` or `GiB`. Inside, a size is a number of bytes. */
const form = /^([0-9]{1,10})(B|KiB|MiB|GiB)$/;
const unitBytes: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Bytes, or undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  const match = form.exec(text);
  return match ? Number(match[1]) * unitBytes[match[2]!]! : undefined;
}

/** The text in the largest unit that divides the size. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    if (bytes > 0 && bytes % unitBytes[unit]! === 0) return `${bytes / unitBytes[unit]!}${unit}`;
  }
  return `${bytes}B`;
}
