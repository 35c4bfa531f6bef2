/**
 * One of the threads of `--concurrency N`: a data plane of its own, on a listening socket and with limits that it shares
 * with the others. The main thread starts it (workers.ts), tells it policies and endpoints, and reads what it counts.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { DataPlane } from './data-plane.ts';
import { TrafficStats } from './exchange/traffic-stats.ts';
import { alignClock, tick } from './io/clock.ts';
import { readingsOf } from './io/plane-readings.ts';
import { MainLink } from './io/threads/main-link.ts';
import type { ToWorker, WorkerStart } from './io/threads/messages.ts';
import { WorkerParker } from './io/threads/worker-parker.ts';

if (parentPort !== null) await work(parentPort, workerData);

async function work(port: MessagePort, start: WorkerStart): Promise<void> {
  alignClock(start.clockOriginMs);
  const { config, memory } = start;
  const main = new MainLink(port);
  const rows = new Map(memory.targets);
  const parker = new WorkerParker(start, (message) => main.say(message));
  const plane = new DataPlane({
    config,
    meshToken: start.meshToken,
    seed: start.seed,
    policies: start.policies,
    log: main.log(config.logLevel),
    parker,
    common: {
      seat: { index: start.seat, count: start.seats, wake: (seat) => main.wake(seat) },
      keySeeds: start.keySeeds,
      ticketSeed: start.ticketSeed,
      inboundTraffic: memory.inboundTraffic,
      unrouted: memory.unrouted,
      accessLines: start.accessLines,
      delivery: start.delivery,
      contexts: start.contexts,
      trafficOf: (target) => {
        const row = rows.get(target) ?? new SharedArrayBuffer(TrafficStats.bytes);
        rows.set(target, row);
        return row;
      },
      onTransition: (target, transition, route) => main.say({ kind: 'transition', target, transition, route }),
    },
  });
  for (const [target, list] of start.endpoints) plane.setEndpoints(target, list);
  plane.targets.onCreated = (target) => {
    target.onFailure = () => main.onFailure();
    main.say({ kind: 'target', target: target.key, traffic: rows.get(target.key)! });
  };
  port.on('message', (message: ToWorker) => void obey(message));
  await plane.listen((name) => ({ fd: start.descriptors[name]! }));
  main.follow(plane, () => plane.targets.values());
  if (start.isDraining) plane.drain();
  main.say({ kind: 'listening' });

  async function obey(message: ToWorker): Promise<void> {
    const nowMs = tick();
    switch (message.kind) {
      case 'policy':
        main.say({
          kind: 'applied',
          id: message.id,
          error: attempt(() => plane.obey(message.target, message.policy, nowMs)),
        });
        break;
      case 'endpoints':
        plane.setEndpoints(message.target, message.list);
        break;
      case 'neighbour':
        main.meet(message.seat, message.port, () => plane.policy.onGranted(tick()));
        break;
      case 'granted':
        plane.policy.onGranted(nowMs);
        break;
      case 'streams':
        main.say({ kind: 'streams', id: message.id, views: plane.streamViews() });
        break;
      case 'recorded':
        main.say({ kind: 'recorded', id: message.id, recorded: plane.recordedTraffic() });
        break;
      case 'parked':
        parker.onResult(message.id, message.result);
        break;
      case 'deliver': {
        // It came as a copy, which is no Buffer.
        const request = { ...message.request, body: Buffer.from(message.request.body) };
        main.say({ kind: 'delivered', id: message.id, end: await plane.deliver(request) });
        break;
      }
      case 'drain':
        plane.drain();
        main.say({ kind: 'readings', readings: readingsOf(plane) });
        main.say({ kind: 'draining' });
        break;
      case 'close':
        await plane.close();
        main.close();
        process.exit(0);
    }
  }
}

/** '' when it went well. */
function attempt(act: () => void): string {
  try {
    act();
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
