/**
 * A real sidecar inside the test's own process: ephemeral ports, silent log, policies given as YAML. What it shares with
 * the program is everything but reading settings and signals.
 */
import { type Log, silentLog } from '../../proto/kernel/log-format.ts';
import { parseOptions } from '../../proto/kernel/options.ts';
import { parsePolicyYaml } from '../../proto/policy/parse.ts';
import type { PolicySpec } from '../../proto/policy/schema.ts';
import { Sidecar } from '../../sidecar/app.ts';
import { checkConfig, natsAccessOf, sidecarOptions } from '../../sidecar/config.ts';
import { policiesByTarget } from '../../sidecar/policy/policy-file.ts';

export interface RunningSidecar {
  readonly sidecar: Sidecar;
  readonly inbound: string;
  readonly outbound: string;
  readonly health: string;
  readonly metrics: string;
  readonly admin: string;
  stop(): Promise<void>;
}

export interface SidecarSetup {
  readonly argv: readonly string[];
  readonly policy?: string;
  readonly meshToken?: string;
  readonly metricsToken?: string;
  /** Each start under a name of its own is another process. Default: test-0, always the same. */
  readonly instance?: string;
  /** Default: silent. */
  readonly log?: Log;
}

let started = 1;

const doors = ['--inbound', '--outbound', '--health', '--metrics', '--admin'];

/** A port of its own for every door that the test does not place itself. */
function ephemeral(argv: readonly string[]): string[] {
  return doors.filter((door) => !argv.includes(door)).flatMap((door) => [door, '127.0.0.1:0']);
}

export async function startSidecar(setup: SidecarSetup): Promise<RunningSidecar> {
  const parsed = parseOptions(sidecarOptions, { argv: [...ephemeral(setup.argv), ...setup.argv], env: {} });
  if (!parsed.ok || parsed.help) throw new Error(`bad settings: ${JSON.stringify(parsed)}`);
  const errors = checkConfig(parsed.values);
  if (errors.length > 0) throw new Error(errors.join('; '));
  const reach = natsAccessOf(parsed.values, {});
  const secrets = {
    nats: reach?.ok ? reach.access : undefined,
    meshToken: setup.meshToken,
    metricsToken: setup.metricsToken,
  };
  const { instance } = setup;
  const who =
    instance === undefined
      ? { instance: 'test-0', incarnation: 'i1', seed: 1 }
      : { instance, incarnation: `i${++started}`, seed: started };
  const facts = { ...who, version: 'test' };
  const sidecar = new Sidecar(parsed.values, secrets, facts, specsOf(setup.policy), setup.log ?? silentLog);
  const addresses = await sidecar.start();
  const at = (door: string): string => String(addresses[door] ?? '');
  return {
    sidecar,
    inbound: at('inbound'),
    outbound: at('outbound'),
    health: at('health'),
    metrics: at('metrics'),
    admin: at('admin'),
    stop: () => sidecar.stop(),
  };
}

function specsOf(yaml: string | undefined): ReadonlyMap<string, PolicySpec> {
  if (yaml === undefined) return new Map();
  const result = parsePolicyYaml(yaml);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return policiesByTarget(result.policies).specs;
}
