/** Settings of a sidecar that feeds its app from a queue: which are refused. */
import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../proto/kernel/options.ts';
import { checkConfig, sidecarOptions } from '../../sidecar/config.ts';

function errorsOf(...argv: string[]): readonly string[] {
  const parsed = parseOptions(sidecarOptions, { argv, env: {} });
  if (!parsed.ok) return parsed.errors;
  return parsed.help ? [] : checkConfig(parsed.values, {});
}
const app = ['--app', '127.0.0.1:1', '--nats', 'nats://127.0.0.1:4222'];

describe('--consume', () => {
  it('takes a queue of JetStream and where its messages go', () => {
    expect(errorsOf('--consume', 'jetstream:JOBS/workers', '--consume-to', 'http:/jobs?a=b', ...app)).toEqual([]);
    expect(errorsOf('--consume', 'jetstream:JOBS/workers', '--consume-to', 'grpc:/a.v1.Jobs/Do', ...app)).toEqual([]);
  });

  it('is refused without an app, NATS or a destination, and in another form', () => {
    expect(errorsOf('--consume', 'jetstream:JOBS/workers')).toEqual(['--consume and --consume-to need each other']);
    expect(errorsOf('--consume', 'jetstream:JOBS/workers', '--consume-to', 'http:/')).toEqual([
      '--consume needs --app: there is nobody to give messages to',
      '--consume needs --nats',
    ]);
    expect(errorsOf('--consume', 'kafka:JOBS/workers', '--consume-to', 'grpc:/no', ...app).length).toBe(2);
    expect(errorsOf('--consume-max', '0').length).toBe(1);
  });
});
