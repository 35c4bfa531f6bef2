/**
 * How many slots a direct-mapped cache has. Every connection has several such caches and most connections never say more
 * than a few different things, so a cache begins small, and doubles each time as many entries were pushed out by others
 * as it has slots. Its contents are lost then, three times in the life of a connection. The numbers in the slots stand in
 * plain arrays: a typed array of this size costs more around its contents than in them.
 */
export const slotsMin = 8;
export const slotsMax = 64;

export function emptySlots<T>(count: number, value: T): T[] {
  return new Array<T>(count).fill(value);
}
