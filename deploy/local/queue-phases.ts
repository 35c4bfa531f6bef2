/**
 * The queue demo's script: a producer that makes half as many jobs again as the consumer can do, and one remedy after the
 * other. Each step has its figures, and what must be so for the remedy to have worked.
 */
import { type Handed, post, type QueueRig } from './queue-rig.ts';
import { capacity, workers } from './queue-worker.ts';

/** Jobs a second. */
export const offered = 1.5 * capacity;

export interface StepFigures {
  readonly step: string;
  readonly made: number;
  readonly refused: number;
  readonly done: number;
  /** In the consumers' hands at once, at most, each. */
  readonly inHandMax: number;
  /** In the queue at the end. */
  readonly waiting: number;
  /** Made and neither done, refused, waiting nor in hand. */
  readonly dropped: number;
  /** From making to the end of the work. */
  readonly waitP95Ms: number;
  readonly ok: boolean;
  readonly why: string;
}

interface Raw extends Omit<StepFigures, 'step' | 'ok' | 'why'> {
  readonly inHand: number;
  readonly doneWhilePaused: number;
}

export interface PhaseOptions {
  readonly rig: QueueRig;
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly say: (figures: StepFigures) => void;
}

/** held: it was not even made. */
type HandIn = (body: string) => Promise<Handed>;

const drainMs = 200;
/** For what is being handed in when a step ends. */
const settleMs = 500;

export async function runPhases({ rig, seconds, signal, say }: PhaseOptions): Promise<StepFigures[]> {
  const all: StepFigures[] = [];
  const report = (step: string, raw: Raw, checks: Readonly<Record<string, boolean>>): void => {
    const { inHand: _, doneWhilePaused: __, ...figures } = raw;
    const failed = Object.entries(checks).filter(([, holds]) => !holds);
    const why =
      failed.length === 0 ? Object.keys(checks).join(', ') : `NOT SO: ${failed.map(([text]) => text).join(', ')}`;
    const result = { step, ...figures, ok: failed.length === 0, why };
    all.push(result);
    say(result);
  };
  const run = (handIn: HandIn, act?: (sinceMs: number) => Promise<void>): Promise<Raw> =>
    phase({ rig, seconds, signal, handIn, act });
  const excess = (offered - capacity) * seconds;

  const first = rig.feeds[0]!.worker;
  const nothing = await run(async (body) => ((await post(first.address, '/jobs', body)) === 204 ? 'taken' : 'refused'));
  report('nothing', nothing, { 'jobs pile up in the consumer': nothing.inHandMax > 0.5 * excess });

  await rig.clear();
  const buffer = await run((body) => rig.publish(body));
  report('buffer', buffer, {
    [`never more than ${workers} in the consumer`]: buffer.inHandMax <= workers,
    'the rest waits in the queue': buffer.waiting > 0.5 * excess,
    'nothing is lost': buffer.dropped <= 0 && buffer.refused === 0,
  });

  await rig.clear();
  await rig.startIntake();
  const throttle = await run((body) => rig.handIn(body));
  report('throttle', throttle, {
    'the intake refuses what is too much': throttle.refused > 0.3 * excess,
    'the queue stays short': throttle.waiting < buffer.waiting / 2,
  });

  await rig.clear();
  await rig.addFeed();
  const scale = await run((body) => rig.publish(body));
  report('scale', scale, {
    'two consumers keep up': scale.waiting < buffer.waiting / 2,
    'nothing is lost': scale.dropped <= 0 && scale.refused === 0,
  });
  await rig.removeFeed();

  await rig.clear();
  const room = Math.ceil(capacity / 5);
  await rig.bound({ messagesMax: room, drops: 'oldest' });
  const drop = await run((body) => rig.publish(body));
  report('drop', drop, {
    'the oldest make room': drop.dropped > 0.3 * excess,
    'what is done is fresh': drop.waitP95Ms < 1000 * ((room + 2 * workers) / capacity) * 2,
  });

  await rig.clear();
  await rig.bound({ messagesMax: room, drops: 'newest' });
  const signals = await run(
    slowingDown((body) => rig.publish(body)),
    async () => {
      await rig.say({ pause: true });
    },
  );
  await rig.say({ resume: true });
  report('signal', signals, {
    'nothing is done while the consumer says pause': signals.doneWhilePaused === 0,
    'the full queue tells the producer, who slows down': signals.made < 0.9 * offered * seconds,
    'nothing is lost': signals.dropped <= 0,
  });
  return all;
}

/** A producer that listens: refused, it waits twice as long before the next job, up to 100 ms. */
function slowingDown(handIn: HandIn): HandIn {
  let pauseMs = 0;
  let notBeforeMs = 0;
  return async (body) => {
    if (performance.now() < notBeforeMs) return 'held';
    const handed = await handIn(body);
    pauseMs = handed === 'taken' ? 0 : Math.min(100, Math.max(10, 2 * pauseMs));
    notBeforeMs = performance.now() + pauseMs;
    return handed;
  };
}

interface Phase {
  readonly rig: QueueRig;
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly handIn: HandIn;
  /** In the middle third. */
  readonly act: ((sinceMs: number) => Promise<void>) | undefined;
}

async function phase({ rig, seconds, signal, handIn, act }: Phase): Promise<Raw> {
  const counts = { made: 0, refused: 0, open: 0 };
  for (const { worker } of rig.feeds) worker.reset();
  const done = (): number => rig.feeds.reduce((sum, { worker }) => sum + worker.done.length, 0);
  const startMs = performance.now();
  const make = async (): Promise<void> => {
    counts.open++;
    counts.made++;
    const handed = await handIn(String(performance.now()));
    counts.open--;
    if (handed === 'held') counts.made--;
    if (handed === 'refused') counts.refused++;
  };
  let begun = 0;
  let doneAtPause = -1;
  const actAtMs = startMs + (seconds * 1000) / 3;
  while (performance.now() - startMs < seconds * 1000 && !signal.aborted) {
    const due = ((performance.now() - startMs) / 1000) * offered;
    for (; begun < due; begun++) void make();
    if (act !== undefined && doneAtPause < 0 && performance.now() >= actAtMs) {
      await act(performance.now());
      // What was in hand is still finished.
      await sleep(drainMs);
      doneAtPause = done();
    }
    await sleep(5);
  }
  for (let waited = 0; counts.open > 0 && waited < settleMs; waited += 10) await sleep(10);
  const doneWhilePaused = doneAtPause < 0 ? 0 : done() - doneAtPause;
  const waiting = await rig.waiting();
  const inHand = rig.feeds.reduce((sum, { worker }) => sum + worker.inHand, 0);
  const waits = rig.feeds.flatMap(({ worker }) => worker.done.map(({ waitedMs }) => waitedMs)).sort((a, b) => a - b);
  return {
    made: counts.made,
    refused: counts.refused,
    done: waits.length,
    inHandMax: Math.max(...rig.feeds.map(({ worker }) => worker.inHandMax)),
    waiting,
    inHand,
    // What is in hand is in the queue, too, until it is acknowledged.
    dropped: counts.made - counts.refused - waits.length - Math.max(waiting, inHand),
    waitP95Ms: waits[Math.floor(waits.length * 0.95)] ?? 0,
    doneWhilePaused,
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
