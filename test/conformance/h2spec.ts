/**
 * h2spec against a sidecar: https://github.com/summerwind/h2spec, once as it is and once with -S, which adds what the
 * RFC only recommends. Its cases come from its JUnit report, one by one, so that a skipped one is seen.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFront } from './mesh.ts';
import { startOrigin } from './origin.ts';
import { absent, findPeer, runPeer } from './peers.ts';
import { type CaseResult, ran, type Suite, type SuiteOutcome } from './suite.ts';

export const h2specSuites: readonly Suite[] = [
  { name: 'h2spec', about: 'RFC 9113 and 7541, server side', run: () => runH2spec([]) },
  { name: 'h2spec-strict', about: 'the same with -S', run: () => runH2spec(['-S']) },
];

async function runH2spec(flags: readonly string[]): Promise<SuiteOutcome> {
  const program = findPeer('h2spec');
  if (program === null) return { kind: 'absent', ...absent('h2spec') };
  const origin = await startOrigin();
  const front = await startFront(origin.address);
  try {
    return ran(await h2specCases(program, front.address, flags));
  } finally {
    await front.stop();
    origin.close();
  }
}

export async function h2specCases(program: string, address: string, flags: readonly string[]): Promise<CaseResult[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'weir-h2spec-'));
  const report = join(scratch, 'report.xml');
  const [host, port] = address.split(':');
  try {
    const args = ['-h', host ?? '', '-p', port ?? '', '-o', '5', '-j', report, ...flags];
    const { code, stderr, stdout } = await runPeer(program, args, { timeoutMs: 300_000 });
    const cases = readReport(readFileSync(report, 'utf8'));
    if (cases.length === 0) throw new Error(`h2spec ended with ${code}: ${stderr || stdout}`);
    return cases;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** `<testcase package="http2/6.5" classname="Sends …" …>` with a `<failure>` or `<skipped>` inside, or none. */
function readReport(xml: string): CaseResult[] {
  const cases: CaseResult[] = [];
  for (const [, attributes = '', body = ''] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const name = `${attribute(attributes, 'package')}: ${attribute(attributes, 'classname')}`;
    const detail = unescapeXml(body.replace(/<[^>]*>/g, ' ')).trim();
    const isFailed = /<(failure|error)\b/.test(body);
    cases.push({ name, verdict: isFailed ? 'failed' : /<skipped\b/.test(body) ? 'skipped' : 'passed', detail });
  }
  return cases;
}

function attribute(attributes: string, name: string): string {
  return unescapeXml(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '');
}

function unescapeXml(text: string): string {
  return text
    .replace(/&#(x?)([0-9a-fA-F]+);/g, (_, hex: string, code: string) =>
      String.fromCharCode(Number.parseInt(code, hex === '' ? 10 : 16)),
    )
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&');
}
