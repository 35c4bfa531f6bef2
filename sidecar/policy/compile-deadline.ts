/** Deadlines from a spec to settings. */
import type { DeadlineSpec } from '../../proto/policy/schema-deadline.ts';
import type { DeadlineSettings } from './compiled.ts';
import { milliseconds } from './units.ts';

export const noDeadline: DeadlineSettings = { shadow: false, defaultMs: 0, maxMs: 0, timeoutHeader: '' };

export function inboundDeadline(deadline: DeadlineSpec = {}, shadow: boolean): DeadlineSettings {
  return {
    shadow,
    defaultMs: milliseconds(deadline.default),
    maxMs: milliseconds(deadline.max),
    timeoutHeader: headerName(deadline.header),
  };
}

/** As a head has it. */
export function headerName(name: string | undefined): string {
  return name?.toLowerCase() ?? '';
}
