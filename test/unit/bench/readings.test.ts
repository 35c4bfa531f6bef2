/** What is read from h2load, /proc and the programs' output: the figures are no better than this. */
import { describe, expect, it } from 'vitest';
import { parseCpuList } from '../../bench/children.ts';
import { parseGeneratorResult } from '../../bench/generators.ts';
import { h2loadArguments, parseH2load, parseTimeUs } from '../../bench/h2load.ts';
import { parseCoreTimes, parseProcessCpuMs, parseRssMb, parseThreadCpuMs } from '../../bench/process-stat.ts';
import { listenerPort, printedPort } from '../../bench/proxies.ts';
import { parseCapMb, parseReaders } from '../../bench/slow-readers-case.ts';

const h2loadOutput = `
finished in 2.00s, 137061.50 req/s, 29.28MB/s
requests: 274123 total, 274323 started, 274123 done, 274000 succeeded, 123 failed, 7 errored, 5 timeout
status codes: 274000 2xx, 2 3xx, 100 4xx, 11 5xx
traffic: 58.56MB (61403852) total, 27.71MB (29057038) headers (space savings 31.61%), 26.14MB (27412300) data
                     min         max         mean         sd        +/- sd
time for request:      444us      5.59ms      1.31ms       345us    76.87%
time for connect:       80us       343us       216us        90us    60.00%
`;

describe('what h2load prints', () => {
  it('gives answers, refusals, failures of every kind, the mean and the bytes', () => {
    const failures = 2 + 11 + 7 + 5;
    expect(parseH2load(h2loadOutput)).toEqual({
      ...{ requests: 274_000, refusals: 100, failures, meanUs: 1310, bytes: 27_412_300 },
    });
  });

  it('is refused when it is not understood', () => {
    expect(() => parseH2load('Connection refused')).toThrow(/unexpected: Connection refused/);
  });

  it('has times in three units', () => {
    expect(['444us', '1.5ms', '2.00s'].map(parseTimeUs)).toEqual([444, 1500, 2_000_000]);
  });

  it('asks for a log only where one is wanted', () => {
    const run = { port: 1, path: '/b100', connections: 10, streams: 20, tls: false, amount: { seconds: 2 } };
    expect(h2loadArguments(run).join(' ')).not.toContain('log-file');
    expect(h2loadArguments({ ...run, logFile: '/x' })).toContain('--log-file=/x');
  });

  it('is asked for a time or a number of requests, in the clear or over TLS', () => {
    const run = { port: 1, path: '/b100', connections: 10, streams: 20, tls: false, amount: { seconds: 2 } };
    expect(h2loadArguments(run)).toEqual(expect.arrayContaining(['-D2', 'http://127.0.0.1:1/b100']));
    const other = h2loadArguments({ ...run, tls: true, amount: { requests: 7 } });
    expect(other).toEqual(expect.arrayContaining(['-n7', 'https://127.0.0.1:1/b100']));
  });
});

describe('what /proc says', () => {
  it('gives the CPU time of a process whose name holds spaces and parentheses', () => {
    const stat = '6670 (a (b) c) S 6661 6661 3295 0 -1 4194304 2266 0 10 0 143 28 0 0 20 0 1 0 237833 104194048';
    expect(parseProcessCpuMs(stat)).toBe(1710);
  });

  it('gives the CPU time of a thread to the nanosecond', () => {
    expect(parseThreadCpuMs('193482 4487 2\n')).toBe(0.193482);
  });

  it('gives busy and interrupt time of one core', () => {
    const stat = 'cpu  9 9 9 9\ncpu0 100 1 50 700 20 3 4 5 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\n';
    expect(parseCoreTimes(stat, 0)).toEqual({ busyMs: 1630, interruptMs: 120 });
  });

  it('gives resident memory in MiB', () => {
    expect(parseRssMb('VmPeak:\t 9 kB\nVmRSS:\t   20480 kB\n')).toBe(20);
  });

  it('gives the cores one may use', () => {
    expect(parseCpuList('0-2,5')).toEqual([0, 1, 2, 5]);
    expect(parseCpuList('')).toEqual([]);
  });
});

describe('what started programs print', () => {
  it('gives the sidecar’s cap of memory, or null where it has none', () => {
    expect(parseCapMb('# HELP x\nweir_flow_control_buffered_bytes_max 268435456\n')).toBe(256);
    expect(parseCapMb('weir_flow_control_buffered_bytes 5\n')).toBeNull();
  });

  it('gives the count of slow readers', () => {
    const line = '{"event":"finished","answered":9,"served":8,"reset":1,"bytes":7,"resets":"1 × RST 8"}';
    expect(parseReaders(line)).toEqual({ answered: 9, served: 8, reset: 1, resets: '1 × RST 8' });
  });

  it('gives the port of a small server', () => {
    expect(printedPort('{"port":4711}')).toBe(4711);
    expect(printedPort('warning')).toBeNull();
  });

  it('gives the port of one of the sidecar’s listeners', () => {
    const line = '{"level":"info","msg":"listening","inbound":"127.0.0.1:15006","outbound":"127.0.0.1:15001"}';
    expect(listenerPort(line, 'inbound')).toBe(15006);
    expect(listenerPort(line, 'outbound')).toBe(15001);
    expect(listenerPort(line, 'health')).toBeNull();
    expect(listenerPort('{"msg":"policy applied"}', 'inbound')).toBeNull();
  });

  it('gives the generator’s figures, and an error when nothing was answered', () => {
    const line =
      '{"event":"finished","requests":5,"failures":1,"meanUs":10.5,"p99Us":20,"reconnects":0,"lastError":""}';
    expect(parseGeneratorResult(line)).toEqual({
      ...{ requests: 5, refusals: 0, failures: 1, meanUs: 10.5, p99Us: 20, bytes: 0 },
    });
    expect(() => parseGeneratorResult('{"requests":0,"lastError":"ECONNREFUSED"}')).toThrow('ECONNREFUSED');
  });
});
