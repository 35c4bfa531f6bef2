/** Where requests wait that the concurrency limit keeps out. */
import { type Static, Type } from 'typebox';
import { duration, size, strict } from './schema-parts.ts';

export const QueueSpec = Type.Object(
  {
    requestsMax: Type.Optional(
      Type.Integer({ description: 'Requests that may wait.', minimum: 1, maximum: 100_000, default: 100 }),
    ),
    bytesMax: Type.Optional(
      size({ min: '1KiB', max: '1GiB', default: '1MiB', description: 'Bytes that waiting requests may hold.' }),
    ),
    waitMax: Type.Optional(
      duration({
        min: '1ms',
        max: '1m',
        default: '200ms',
        description: 'Longest wait; after it a request is refused.',
      }),
    ),
  },
  { ...strict, description: 'Where requests above the concurrency limit wait, first come first served.' },
);
export type QueueSpec = Static<typeof QueueSpec>;
