/** The meter that does what the options say. */
import { FixedWindow } from './fixed-window.ts';
import { LeakyBucket } from './leaky-bucket.ts';
import type { Meter, MeterOptions } from './meter.ts';
import { SlidingWindow } from './sliding-window.ts';
import { TokenBucket } from './token-bucket.ts';

export function meterOf(options: MeterOptions): Meter {
  switch (options.kind) {
    case 'tokenBucket':
      return new TokenBucket(options);
    case 'leakyBucket':
      return new LeakyBucket(options);
    case 'fixedWindow':
      return new FixedWindow(options);
    case 'slidingWindow':
      return new SlidingWindow(options);
  }
}
