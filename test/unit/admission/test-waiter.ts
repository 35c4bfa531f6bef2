/** A waiter that writes down what it hears. */
import type { Waiter } from '../../../sidecar/admission/admission.ts';

export class TestWaiter implements Waiter {
  readonly id: number;
  readonly bytes: number;
  tier = 2;
  userLevel = 0;
  tenant = '';
  deadlineMs = 0;
  queueSlot = -1;
  readonly heard: string[] = [];
  onAdmittedDo: (() => void) | null = null;

  constructor(id: number, bytes = 10) {
    this.id = id;
    this.bytes = bytes;
  }

  onAdmitted(nowMs: number): void {
    this.heard.push(`admitted at ${nowMs}`);
    this.onAdmittedDo?.();
  }

  onRefused(reason: number, nowMs: number): void {
    this.heard.push(`refused ${reason} at ${nowMs}`);
  }
}
