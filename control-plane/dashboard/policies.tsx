/**
 * Policies, read-only in this form: what stands, and every revision that stood before. Fetched when the page opens and
 * whenever the event feed mentions a policy, because documents are too long to be sent every second.
 */
import { effect, signal, untracked } from '@preact/signals';
import type { JSX } from 'preact';
import type { RevisionView } from '../../proto/api.ts';
import { dateAndTime } from './format.ts';
import { link, snapshot } from './live.ts';
import { toYaml } from './yaml.ts';

interface Document {
  readonly namespace: string;
  readonly name: string;
  readonly target: string;
  readonly value: object;
}

const documents = signal<readonly Document[] | null>(null);
const problem = signal('');
const chosen = signal<string | null>(null);
const revisions = signal<readonly RevisionView[]>([]);
/** The revision shown; null = the document that stands. */
const shown = signal<RevisionView | null>(null);

const keyOf = ({ namespace, name }: Document): string => `${namespace}/${name}`;

/** Loads now, and again after each policy event. */
export function watchPolicies(): void {
  let lastSeen = '';
  effect(() => {
    if (link.value !== 'live') return;
    const newest = snapshot.value?.events.findLast(({ kind }) => kind === 'policy')?.at ?? 'none';
    if (newest === lastSeen) return;
    lastSeen = newest;
    untracked(() => void load());
  });
}

async function load(): Promise<void> {
  try {
    documents.value = items(await get('/v1/policies')).flatMap(documentOf);
    problem.value = '';
    const first = documents.value[0];
    const current = documents.value.find((document) => keyOf(document) === chosen.value) ?? first;
    if (current) await choose(current);
  } catch (error) {
    problem.value = error instanceof Error ? error.message : String(error);
  }
}

async function choose(document: Document): Promise<void> {
  chosen.value = keyOf(document);
  shown.value = null;
  const history = items(await get(`/v1/namespaces/${document.namespace}/policies/${document.name}/revisions`));
  // Another one may have been chosen while this was on its way.
  if (chosen.value === keyOf(document))
    revisions.value = history.filter(isRevision).sort((a, b) => b.revision - a.revision);
}

export function Policies(): JSX.Element {
  const list = documents.value;
  if (problem.value) return <p class="empty bad">Policies could not be read: {problem.value}</p>;
  if (list === null) return <p class="empty">Reading policies …</p>;
  if (list.length === 0) {
    return (
      <p class="empty">
        No policy yet: everything passes, nothing is limited. Start with <code>weir apply -f policy.yaml</code>.
      </p>
    );
  }
  const current = list.find((document) => keyOf(document) === chosen.value);
  const revision = shown.value;
  return (
    <div class="policies">
      <ul class="choices" aria-label="Policies">
        {list.map((document) => (
          <li key={keyOf(document)}>
            <button type="button" aria-pressed={document === current} onClick={() => void choose(document)}>
              {document.name} <span class="dim">→ {document.target}</span>
            </button>
          </li>
        ))}
      </ul>
      {current && (
        <>
          <section aria-label={revision ? `${current.name}, revision ${revision.revision}` : current.name}>
            <pre class="yaml">{toYaml(revision ? (revision.policy ?? { deleted: true }) : current.value)}</pre>
          </section>
          <ol class="revisions" aria-label="History" reversed>
            {revisions.value.map((each, index) => {
              const isShown = revision ? each.revision === revision.revision : index === 0;
              return (
                <li key={each.revision}>
                  <button type="button" aria-pressed={isShown} onClick={() => (shown.value = each)}>
                    <b>r{each.revision}</b> {each.summary || each.action}
                    <span class="dim">
                      {' '}
                      {dateAndTime(each.at)}
                      {each.by && `, ${each.by}`}
                    </span>
                  </button>
                </li>
              );
            })}
          </ol>
        </>
      )}
    </div>
  );
}

async function get(path: string): Promise<unknown> {
  const response = await fetch(path, { signal: AbortSignal.timeout(5_000) });
  if (response.status === 401) link.value = 'unauthorised';
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return await response.json();
}

function items(body: unknown): unknown[] {
  return typeof body === 'object' && body !== null && 'items' in body && Array.isArray(body.items) ? body.items : [];
}

function documentOf(value: unknown): Document[] {
  const namespace = member(member(value, 'metadata'), 'namespace');
  const name = member(member(value, 'metadata'), 'name');
  const target = member(member(member(value, 'spec'), 'target'), 'service');
  if (typeof value !== 'object' || value === null || typeof name !== 'string') return [];
  return [{ namespace: typeof namespace === 'string' ? namespace : 'default', name, target: String(target), value }];
}

function isRevision(value: unknown): value is RevisionView {
  return typeof member(value, 'revision') === 'number' && typeof member(value, 'at') === 'string';
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}
