/** What the benchmark knows of a proxy under test, and what it tells it at start. */
import type { Certificate } from './certificate.ts';
import type { Child, Children } from './children.ts';
import type { Setting } from './config-template.ts';

export const startDeadlineMs = 15_000;

export interface StartContext {
  readonly children: Children;
  readonly core: number | null;
  readonly originPort: number;
  readonly setting: Setting;
  /** For rendered configurations. */
  readonly scratchFolder: string;
  /** Present where `setting.tls`. */
  readonly certificate: Certificate | null;
  /** Where it is to listen; a free port where this is left out. */
  readonly port?: number;
  /** Flags of Node itself, for a profile; only our own programs take them. */
  readonly nodeFlags?: readonly string[];
}

export interface RunningProxy {
  readonly child: Child;
  readonly port: number;
  /** Where it tells its metrics; only the sidecar does. */
  readonly metricsPort?: number;
}

export interface ProxyKind {
  readonly name: string;
  readonly summary: string;
  /** Whether `start` resolves by a log line of the proxy, rather than by a connection that was accepted. */
  readonly saysListening?: true;
  /** Why it cannot take part here, or null when it can. */
  absent(): string | null;
  /** What it cannot do of a setting, or null when it can. */
  cannot(setting: Setting): string | null;
  /** Resolves once it accepts connections. */
  start(context: StartContext): Promise<RunningProxy>;
}
