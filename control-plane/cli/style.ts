/** Colour for terminals only; NO_COLOR (no-color.org) and pipes get plain text. */
import type { Context, Output } from './context.ts';

export type Style = 'plain' | 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const codes: Readonly<Record<Style, string>> = {
  plain: '',
  bold: '1',
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  cyan: '36',
};

export type Paint = (style: Style, text: string) => string;

export const plainPaint: Paint = (_style, text) => text;

export function paintFor(context: Pick<Context, 'env'>, output: Output): Paint {
  const wanted = output.isTTY && !context.env.NO_COLOR && context.env.TERM !== 'dumb';
  if (!wanted) return plainPaint;
  return (style, text) => (style === 'plain' || text === '' ? text : `\u001b[${codes[style]}m${text}\u001b[0m`);
}
