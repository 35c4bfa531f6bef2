/**
 * Window arithmetic (RFC 9113 §5.2, §6.9), apart from the connection so that it can be read in one screen.
 */
import { windowBytesMax } from './constants.ts';

/** Whether an increment would take a window past 2^31 - 1, a flow-control error (§6.9.1). */
export function overflows(window: number, increment: number): boolean {
  return window + increment > windowBytesMax;
}

/**
 * Whether returned credit is worth a frame: at half of the window, and at a quarter of a small one, where half would let
 * a sender run dry for a round trip.
 */
export function isWorthUpdating(toReturn: number, windowBytes: number): boolean {
  return toReturn >= (windowBytes > 131_072 ? windowBytes >> 1 : windowBytes >> 2);
}
