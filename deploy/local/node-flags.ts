/**
 * What Node is told when it runs a sidecar, here and in the `weir` command and image (which say it themselves, since a
 * program cannot tell its own engine any more: test/unit/deploy/node-flags.test.ts holds them together).
 *
 * V8 lets its nursery grow to three times 16 MB once a process is busy. A sidecar uses its larger objects again and drops
 * the rest at once, so it is as fast with 6 MB, and holds some 12 MB less for good.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=6'];

/**
 * And what the C library is told: to give freed memory back. By itself it keeps whatever lies below the largest block
 * that was ever freed, which is what reading and compiling the program leaves behind: 5 MB.
 */
export const nodeEnvironment: Readonly<Record<string, string>> = { MALLOC_TRIM_THRESHOLD_: '131072' };
