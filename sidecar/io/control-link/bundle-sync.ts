/**
 * Bundles from the control plane, and from disk before there is one: parsed, compared with what is known, handed to the
 * proxy, acknowledged, kept. Each target's bundle is obeyed whole or not at all; the one before stays in force.
 */
import { createHash } from 'node:crypto';
import type { Applied, Identity } from '../../../proto/fleet-messages.ts';
import { type Bundle, type BundleOrder, parseBundle } from '../../../proto/policy/bundle.ts';
import { subjects } from '../../../proto/subjects.ts';
import { BundleBook } from './bundle-book.ts';
import type { Bus } from './bus.ts';
import type { FleetCodec } from './codec.ts';
import type { LastKnownGood } from './last-known-good.ts';
import type { BundleVerdict, Mesh } from './mesh.ts';
import type { Origin } from './watched-keys.ts';

/** How the link speaks, once it can: before that only the disk is read. */
export interface AckRoad {
  readonly bus: Bus;
  readonly codec: FleetCodec;
}

/** Of the file whose policies are in force from the start. */
export interface PolicyFileFacts {
  /** Wall time. */
  readonly writtenMs: number;
  readonly targets: ReadonlySet<string>;
}

const messageMax = 1000;

export class BundleSync {
  readonly book = new BundleBook();
  private readonly mesh: Mesh;
  private readonly disk: LastKnownGood | undefined;
  private readonly policyFile: PolicyFileFacts | undefined;
  private road: AckRoad | undefined;
  /** By target: what is on its way into force, with what waits behind it. */
  private readonly applying = new Map<string, Promise<void>>();

  constructor(mesh: Mesh, disk: LastKnownGood | undefined, policyFile?: PolicyFileFacts) {
    this.mesh = mesh;
    this.disk = disk;
    this.policyFile = policyFile;
  }

  speakBy(road: AckRoad): void {
    this.road = road;
  }

  /** The last known good bundle, at the start or at a target's first use, unless the policy file was written later. */
  restore(target: string): void {
    const { policyFile } = this;
    if (policyFile?.targets.has(target) && policyFile.writtenMs > (this.disk?.savedAtMs(target) ?? 0)) {
      this.mesh.log('info', 'the policy file is in force, it is newer than the last bundle', { target });
      return;
    }
    const text = this.disk?.load(target);
    if (text !== undefined) this.offer(target, text, 'disk');
  }

  onValue(target: string, bytes: Uint8Array, origin: Origin): void {
    this.offer(target, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'), origin);
  }

  /** One at a time for each target, in the order in which they came. */
  private offer(target: string, text: string, origin: Origin | 'disk'): void {
    const before = this.applying.get(target);
    const applying =
      before === undefined ? this.apply(target, text, origin) : before.then(() => this.apply(target, text, origin));
    if (applying === undefined) return;
    this.applying.set(target, applying);
    void applying.then(() => {
      if (this.applying.get(target) === applying) this.applying.delete(target);
    });
  }

  /** A promise when the bundle does not take force at once. */
  private apply(target: string, text: string, origin: Origin | 'disk'): Promise<void> | undefined {
    const read = readBundle(target, text);
    if (this.book.isLast(target, read.order)) {
      // Sent again because our ack did not arrive.
      if (origin === 'pushed') this.acknowledge(this.book.of(target));
      return undefined;
    }
    if (!this.book.isNews(target, read.order)) return undefined;
    const verdict = read.ok
      ? this.mesh.applyBundle(target, read.bundle, this.mesh.nowMs())
      : { status: 'rejected' as const, message: read.message };
    const finish = ({ status, message }: BundleVerdict): void => {
      const applied: Applied = {
        target,
        ...read.order,
        hash: read.hash,
        status,
        message: message.slice(0, messageMax),
      };
      this.book.record(applied);
      this.mesh.log(status === 'rejected' ? 'warn' : 'info', `policy ${status}`, { ...applied, from: origin });
      this.acknowledge(applied);
      if (status === 'applied' && origin !== 'disk') this.disk?.save(target, text);
    };
    if (verdict instanceof Promise) return verdict.then(finish);
    finish(verdict);
    return undefined;
  }

  private acknowledge(applied: Applied | undefined): void {
    if (!this.road || !applied) return;
    const { identity } = this.mesh;
    this.road.bus.publish(ackSubject(identity), this.road.codec.encodeAck({ identity, applied }));
  }
}

function ackSubject(identity: Identity): string {
  return subjects.ack(identity, identity.instance);
}

type ReadBundle =
  | { readonly ok: true; readonly bundle: Bundle; readonly order: BundleOrder; readonly hash: string }
  | { readonly ok: false; readonly message: string; readonly order: BundleOrder; readonly hash: string };

function readBundle(target: string, text: string): ReadBundle {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, message: `is not JSON: ${String(error)}`, order: { epoch: '', version: 0 }, hash: '' };
  }
  const claimed = {
    order: { epoch: textOf(value, 'epoch'), version: numberOf(value, 'version') },
    hash: textOf(value, 'hash'),
  };
  const parsed = parseBundle(value);
  if (!parsed.ok) {
    const message = parsed.errors.map((error) => `${error.pointer}: ${error.message}`).join('; ');
    return { ok: false, message, ...claimed };
  }
  const { bundle } = parsed;
  const hash = createHash('sha256').update(parsed.hashInput).digest('hex').slice(0, 16);
  if (hash !== bundle.hash) return { ok: false, message: `its hash is ${hash}, it says ${bundle.hash}`, ...claimed };
  if (bundle.target !== target) return { ok: false, message: `is about ${bundle.target}, not ${target}`, ...claimed };
  return { ok: true, bundle, order: { epoch: bundle.epoch, version: bundle.version }, hash };
}

function textOf(value: unknown, name: string): string {
  const text: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return typeof text === 'string' ? text.slice(0, 64) : '';
}

function numberOf(value: unknown, name: string): number {
  const number: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : 0;
}
