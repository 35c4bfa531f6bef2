/**
 * The dashboard in a real browser, before a control plane whose words are scripted (scripted-control-plane.ts), so that
 * the rare days can be shown: a breaker open for the fleet, instances that disagree, a stream that falls silent.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findChromium, launchChromium } from '../support/chromium.ts';
import { badAfternoon } from '../support/fleet-snapshots.ts';
import { dashboardFolder, ScriptedControlPlane } from './scripted-control-plane.ts';

const executable = findChromium();
if (executable === undefined)
  console.warn('No chromium on PATH: the dashboard is not tested (apt-get install chromium).');
if (!existsSync(dashboardFolder)) throw new Error(`${dashboardFolder} is missing: npm run build`);

describe.skipIf(executable === undefined)('The dashboard', () => {
  let browser: Browser;
  let plane: ScriptedControlPlane;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium(executable ?? '');
  });
  afterAll(async () => {
    await browser?.close();
  });
  beforeEach(async () => {
    plane = await ScriptedControlPlane.start();
    page = await browser.newPage({ viewport: { width: 1_400, height: 1_000 } });
    page.setDefaultTimeout(10_000);
    problems.length = 0;
    page.on('pageerror', (error) => problems.push(String(error)));
  });
  afterEach(async () => {
    await page.close();
    await plane.close();
    expect(problems).toEqual([]);
  });

  const status = (): ReturnType<Page['getByRole']> => page.getByRole('status');

  it('is alive within 2 s and shows services in the order of the control plane, the worst first', async () => {
    plane.current = badAfternoon();
    const startMs = performance.now();
    await page.goto(plane.url);
    await page.locator('tr[data-service]').first().waitFor();
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(await status().textContent()).toBe('live');
    const names = await page
      .locator('tr[data-service]')
      .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-service')));
    expect(names).toEqual(['shop/payments', 'shop/orders', 'shop/inventory', 'shop/emails']);
    const payments = await page.locator('tr[data-service="shop/payments"]').textContent();
    for (const text of [
      'breaker open for the fleet',
      'v3 on 8/8',
      '38',
      '23.8 %',
      '1.20 s',
      '5 / 5',
      '+8 queued',
      'queue_full 182',
    ]) {
      expect(payments).toContain(text);
    }
    const orders = await page.locator('tr[data-service="shop/orders"]').textContent();
    for (const text of ['3 live', '1 stale', 'v2 on 3/4', '1 sidecar behind the policy'])
      expect(orders).toContain(text);
  });

  it('writes a dash for what is not known, which is neither zero nor well', async () => {
    plane.current = badAfternoon();
    await page.goto(plane.url);
    const cells = await page.locator('tr[data-service="shop/emails"] td.num').allTextContents();
    expect(cells.map((cell) => cell.trim())).toEqual(['–', '–', '–', '–']);
  });

  it('follows the stream without being asked', async () => {
    plane.current = badAfternoon();
    await page.goto(plane.url);
    await page.locator('tr[data-service]').first().waitFor();
    const calm = badAfternoon();
    plane.send({ ...calm, services: calm.services.filter(({ service }) => service !== 'payments'), breakers: [] });
    await page.getByText('No service has called another').waitFor();
    expect(await page.locator('tr[data-service]').count()).toBe(3);
  });

  it('opens a row of the matrix to its instances and tells local from fleet', async () => {
    plane.current = badAfternoon();
    await page.goto(plane.url);
    const expand = page.getByRole('button', { name: /shop\/orders ×4/ });
    expect(await expand.getAttribute('aria-expanded')).toBe('false');
    await expand.click();
    expect(await expand.getAttribute('aria-expanded')).toBe('true');
    const instances = page.locator('tr.instance');
    expect(await instances.count()).toBe(4);
    const third = await instances.nth(2).textContent();
    expect(third).toContain('half open');
    expect(third).toContain('local');
    expect(await instances.nth(3).textContent()).toContain('fleet');
  });

  it('shows the evidence of an open breaker in one sentence', async () => {
    plane.current = badAfternoon();
    await page.goto(plane.url);
    await page.getByRole('button', { name: /shop\/orders to shop\/payments: open on 4 of 4, by the fleet/ }).click();
    const evidence = page.getByRole('region', { name: /Evidence/ });
    const opened = new Date('2026-11-24T14:02:11.000Z').toTimeString().slice(0, 8);
    expect(await evidence.locator('.verdict').textContent()).toBe(
      `opened ${opened}, 4 of 4 callers, 61/80 failed, fleet`,
    );
    expect(await evidence.textContent()).toContain('5 consecutive failures');
  });

  it('can be walked with the keyboard alone', async () => {
    plane.current = badAfternoon();
    await page.goto(plane.url);
    const focused = (): Promise<string> =>
      page.evaluate('document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent');
    await page.getByRole('button', { name: /shop\/emails ×1/ }).focus();
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toContain('shop/orders ×4');
    await page.keyboard.press('Enter');
    expect(await page.locator('tr.instance').count()).toBe(4);
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toContain('shop/orders to shop/inventory');
    await page.keyboard.press('End');
    expect(await focused()).toContain('shop/orders to shop/payments');
    await page.keyboard.press('Enter');
    const evidence = page.getByRole('region', { name: /Evidence/ });
    await evidence.waitFor();
    await page.getByRole('button', { name: 'Close the evidence' }).focus();
    await page.keyboard.press('Escape');
    await evidence.waitFor({ state: 'detached' });
  });

  it('says how stale it is when the stream falls silent, and is live again by itself', async () => {
    plane.current = badAfternoon();
    await page.goto(plane.url);
    await page.locator('tr[data-service]').first().waitFor();
    plane.hangUp();
    const banner = page.getByRole('alert').filter({ hasText: /Stale \d+ s/ });
    await banner.waitFor();
    expect(await status().textContent()).toMatch(/^stale \d+ s$/);
    expect(await page.locator('main').getAttribute('class')).toBe('is-stale');
    plane.current = badAfternoon();
    await page.waitForFunction('document.querySelector("main").className !== "is-stale"', undefined, { polling: 50 });
    // A stream opened while there was nothing to say is told as soon as there is.
    plane.send(badAfternoon());
    await banner.waitFor({ state: 'detached' });
    expect(await status().textContent()).toBe('live');
  });

  it('asks for the token when there is one, refuses a wrong one in words, and goes on with the right one', async () => {
    plane.token = 'right';
    plane.current = badAfternoon();
    await page.goto(plane.url);
    const token = page.getByLabel('API token');
    await token.fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('That token is not accepted.').waitFor();
    await token.fill('right');
    await page.keyboard.press('Enter');
    await page.locator('tr[data-service]').first().waitFor();
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  it('shows a policy as it stands and as it was', async () => {
    plane.current = badAfternoon();
    await page.goto(plane.url);
    const yaml = page.locator('pre.yaml');
    await page.getByText('waitMax: 150ms').waitFor();
    expect(await yaml.textContent()).toContain('target:\n    service: payments');
    await page.getByRole('button', { name: /r1 created/ }).click();
    expect(await yaml.textContent()).toContain('waitMax: 100ms');
  });

  it('fits a phone without scrolling sideways', async () => {
    plane.current = badAfternoon();
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(plane.url);
    await page.locator('tr[data-service]').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
  });

  it('loads at most 45 KB of script, compressed, and nothing from elsewhere', async () => {
    plane.current = badAfternoon();
    const hosts = new Set<string>();
    page.on('request', (request) => hosts.add(new URL(request.url()).origin));
    await page.goto(plane.url);
    await page.locator('tr[data-service]').first().waitFor();
    expect([...hosts]).toEqual([plane.url]);
    const assets = join(dashboardFolder, 'assets');
    const scripts = readdirSync(assets).filter((name) => name.endsWith('.js'));
    const bytes = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(assets, name))).length, 0);
    expect(bytes).toBeLessThanOrEqual(45 * 1024);
  });
});
