/** How full V8's heap is. Buffers lie outside of it: they have caps of their own. */
import { getHeapStatistics } from 'node:v8';

/** In use, of what it may be, 0..1. */
export function heapShare(): number {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  return used_heap_size / heap_size_limit;
}
